import type { Replacement, TransportFault } from './scenario.ts'

/** A payee by whose IBAN a client chooses what a verification of payee answers, or how it fails. */
export interface PayeeScenario {
  readonly scenario: string
  readonly counterparty_iban: string
  /** What a correct client makes of it for this payee; a call that fails is no answer about any payee in it. */
  readonly expected_result: 'match' | 'close-match' | 'no-match' | 'not-possible'
  readonly description: string
  readonly says: PayeeAnswer | Replacement | TransportFault | { readonly kind: 'lose' | 'mistake' }
}

interface PayeeAnswer {
  readonly kind: 'answer'
  readonly result: 'MATCH' | 'CLOSE_MATCH' | 'NO_MATCH' | 'NOT_POSSIBLE'
  readonly matched_name?: string
}

/** Every scenario of the payee check; account numbers from 100001 on. A payment to any of them is executed at once. */
export const payeeScenarios: readonly PayeeScenario[] = [
  {
    scenario: 'payee-match',
    counterparty_iban: 'DE04000000000000100001',
    expected_result: 'match',
    description: 'Name and IBAN belong together, as with every IBAN that is not in this table.',
    says: { kind: 'answer', result: 'MATCH' }
  },
  {
    scenario: 'payee-close-match',
    counterparty_iban: 'DE74000000000000100002',
    expected_result: 'close-match',
    description: 'They nearly do: the account goes by the name Jane Doe-Smith.',
    says: { kind: 'answer', result: 'CLOSE_MATCH', matched_name: 'Jane Doe-Smith' }
  },
  {
    scenario: 'payee-no-match',
    counterparty_iban: 'DE47000000000000100003',
    expected_result: 'no-match',
    description: 'They do not.',
    says: { kind: 'answer', result: 'NO_MATCH' }
  },
  {
    scenario: 'payee-not-possible',
    counterparty_iban: 'DE20000000000000100004',
    expected_result: 'not-possible',
    description: "The payee's bank does not tell.",
    says: { kind: 'answer', result: 'NOT_POSSIBLE' }
  },
  {
    scenario: 'payee-told-too-much',
    counterparty_iban: 'DE90000000000000100005',
    expected_result: 'no-match',
    description: 'They do not, and the answer gives away a name all the same.',
    says: { kind: 'answer', result: 'NO_MATCH', matched_name: 'Somebody Else' }
  },
  {
    scenario: 'payee-check-slow',
    counterparty_iban: 'DE63000000000000100006',
    expected_result: 'not-possible',
    description: 'The whole call is answered 15 s late.',
    says: { kind: 'delay', seconds: 15 }
  },
  {
    scenario: 'payee-check-down',
    counterparty_iban: 'DE36000000000000100007',
    expected_result: 'not-possible',
    description: 'The connection of the whole call is reset.',
    says: { kind: 'reset' }
  },
  {
    scenario: 'payee-check-503',
    counterparty_iban: 'DE09000000000000100008',
    expected_result: 'not-possible',
    description: 'The whole call is answered 503.',
    says: {
      kind: 'replace',
      status: 503,
      body: { reason: 'unavailable', details: 'No payee can be verified now.' }
    }
  },
  {
    scenario: 'payee-check-nonsense',
    counterparty_iban: 'DE79000000000000100009',
    expected_result: 'not-possible',
    description: 'The whole call is answered 200 with a page of HTML.',
    says: { kind: 'replace', status: 200, body: '<html><body>MATCH</body></html>' }
  },
  {
    scenario: 'payee-check-huge',
    counterparty_iban: 'DE52000000000000100010',
    expected_result: 'not-possible',
    description: 'The whole call is answered with 50 MB, the results behind endless blanks.',
    says: { kind: 'huge' }
  },
  {
    scenario: 'payee-check-lost',
    counterparty_iban: 'DE25000000000000100011',
    expected_result: 'not-possible',
    description: 'Its result is left out of the list, so that nobody can tell whose the others are.',
    says: { kind: 'lose' }
  },
  {
    scenario: 'payee-check-mistaken',
    counterparty_iban: 'DE95000000000000100012',
    expected_result: 'not-possible',
    description: 'Its result names another IBAN.',
    says: { kind: 'mistake' }
  }
]

const byIban = new Map(payeeScenarios.map((scenario) => [scenario.counterparty_iban, scenario]))

/** The scenario of a payee's IBAN; an ordinary one, which matches every name, has none. */
export function findPayeeScenario(iban: string): PayeeScenario | undefined {
  return byIban.get(iban)
}
