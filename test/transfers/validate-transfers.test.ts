import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readRequest } from '../../src/transfers/read-request.ts'
import { validateBulk } from '../../src/transfers/validate-bulk.ts'
import { aBulk, aTransfer, payer } from '../support/builders.ts'
import { judge, today, withTransfer } from '../support/judge.ts'

describe('a bulk', () => {
  const verdicts: [string, unknown, string[]][] = [
    ...(['counterparty_name', 'description', 'client_transfer_id', 'counterparty_iban'] as const).flatMap(
      (field) =>
        ['\u202e', '\u200b', '\uffff', '\ufeff', '\u00ad', '\u3164'].map(
          (character): [string, unknown, string[]] => [
            `with ${JSON.stringify(character)} in its ${field}`,
            withTransfer({ [field]: `DE89370400${character}440532013000` }),
            ['invalid-request', `/credit_transfers/0/${field} forbidden-character`]
          ]
        )
    ),
    [
      'with an invisible character in its label and in a key of its metadata',
      { ...aBulk(), label: 'a\u200b', metadata: { 'b\u200b': '1' } },
      ['invalid-request', '/label forbidden-character', '/metadata/b\u200b forbidden-character']
    ],
    [
      'with a name of 70 characters that are two units each',
      withTransfer({ counterparty_name: '😀'.repeat(70) }),
      ['valid', '/credit_transfers/0/counterparty_name character-set']
    ],
    [
      'with a name of 71 characters',
      withTransfer({ counterparty_name: 'x'.repeat(71) }),
      ['invalid-request', '/credit_transfers/0/counterparty_name too-long']
    ],
    [
      'with a description of 5 characters that are two units each',
      withTransfer({ description: '😀'.repeat(5) }),
      ['invalid-request', '/credit_transfers/0/description too-short']
    ],
    [
      'with a description of spaces',
      withTransfer({ description: ' '.repeat(20) }),
      ['invalid-request', '/credit_transfers/0/description too-short']
    ],
    [
      'with a name that is too long in the characters of SEPA',
      withTransfer({ counterparty_name: 'Θ'.repeat(36) }),
      ['invalid-counterparty', '/credit_transfers/0/counterparty_name too-long']
    ],
    [
      'with texts in other characters',
      withTransfer({ counterparty_name: 'Zoë', description: 'Gehalt für Juni' }),
      [
        'valid',
        '/credit_transfers/0/counterparty_name character-set',
        '/credit_transfers/0/description character-set'
      ]
    ],
    [
      'to an account outside of SEPA',
      withTransfer({ counterparty_iban: 'BR1800360305000010009795493C1', counterparty_bic: 'CEFXBRSP' }),
      ['invalid-counterparty', '/credit_transfers/0/counterparty_iban iban-outside-sepa']
    ],
    [
      'to an IBAN with a Cyrillic letter',
      withTransfer({ counterparty_iban: 'DЕ89370400440532013000' }),
      ['invalid-counterparty', '/credit_transfers/0/counterparty_iban iban-character']
    ],
    [
      'to a BIC of no country',
      withTransfer({ counterparty_bic: 'RNJZNTMC' }),
      ['invalid-counterparty', '/credit_transfers/0/counterparty_bic bic-country']
    ],
    [
      'to a bank of another country than the account',
      withTransfer({ counterparty_bic: 'CRLYFRPPTOU' }),
      ['valid', '/credit_transfers/0/counterparty_bic bic-iban-mismatch']
    ],
    [
      'to a bank on Réunion and its French IBAN',
      withTransfer({ counterparty_bic: 'BNPARERX', counterparty_iban: 'FR1420041010050500013M02606' }),
      ['valid']
    ],
    [
      'with the same payment three times',
      aBulk({ transfers: 3 }),
      ['valid', '/credit_transfers/1 duplicate-in-bulk', '/credit_transfers/2 duplicate-in-bulk']
    ],
    [
      'with the same payment twice, refused on demand with all else that is wrong',
      {
        ...aBulk({ duplicate_check: 'reject' }),
        credit_transfers: [
          aTransfer(),
          aTransfer({ counterparty_name: 'J. Doe', client_transfer_id: 'again' }),
          aTransfer({ amount: 'x' })
        ]
      },
      ['invalid-amount', '/credit_transfers/2/amount amount-format', '/credit_transfers/1 duplicate-in-bulk']
    ],
    [
      'with the same payment twice alone, refused on demand',
      aBulk({ transfers: 2, duplicate_check: 'reject' }),
      ['duplicate-transfer', '/credit_transfers/1 duplicate-in-bulk']
    ],
    ['with the same payment twice, as meant', aBulk({ transfers: 2, duplicate_check: 'off' }), ['valid']],
    [
      'with payments that differ in amount, IBAN or description',
      {
        ...aBulk({ duplicate_check: 'reject' }),
        credit_transfers: [
          aTransfer(),
          aTransfer({ amount: '100.01' }),
          aTransfer({ counterparty_iban: 'DE02120300000000202051' }),
          aTransfer({ description: 'Salary payment for July 2024' })
        ]
      },
      ['valid']
    ],
    [
      'with a wrong duplicate_check',
      { ...aBulk(), duplicate_check: 'ask' },
      ['invalid-request', '/duplicate_check not-allowed']
    ]
  ]
  for (const [what, body, verdict] of verdicts)
    it(`${what} is ${verdict[0] ?? ''}`, () => {
      assert.deepEqual(judge(body), verdict)
    })
})

describe('a bulk for an organization that is checked leniently', () => {
  const verdicts: [string, object, string[]][] = [
    [
      'a wrong length',
      { counterparty_iban: 'DE9935420810036209081725212' },
      ['counterparty_iban iban-length']
    ],
    [
      'wrong check digits',
      { counterparty_iban: 'EE383680981021245685' },
      ['counterparty_iban iban-checksum']
    ],
    ['a BIC of no country', { counterparty_bic: 'RNJZNTMC' }, ['counterparty_bic bic-country']],
    [
      'neither',
      { counterparty_iban: 'x', counterparty_bic: 'y' },
      ['counterparty_iban iban-format', 'counterparty_bic bic-format']
    ]
  ]
  for (const [what, change, warnings] of verdicts)
    it(`is accepted with ${what} of an IBAN or BIC, and a warning`, () => {
      const pointers = warnings.map((warning) => `/credit_transfers/0/${warning}`)
      assert.deepEqual(judge(withTransfer(change), 'lenient'), ['valid', ...pointers])
    })

  it('is refused for everything else as always', () => {
    assert.equal(judge(withTransfer({ amount: '1e3' }), 'lenient')[0], 'invalid-amount')
    assert.equal(judge(withTransfer({ currency: 'USD' }), 'lenient')[0], 'currency-not-supported')
    assert.equal(judge(withTransfer({ counterparty_name: 'x\u202e' }), 'lenient')[0], 'invalid-request')
    const own = payer.organization_iban
    assert.equal(judge(withTransfer({ counterparty_iban: own }), 'lenient')[0], 'same-account-transfer')
  })
})

describe('what is told', () => {
  const tell = (change: object) => {
    const read = readRequest(withTransfer(change))
    const checked = read.outcome === 'ok' ? validateBulk(read.request, 1, { today }) : read
    const [told] = checked.outcome === 'valid' ? checked.bulk.warnings : (checked.problem.errors ?? [])
    return told?.detail
  }
  const details: [object, RegExp][] = [
    [{ counterparty_iban: 'DЕ89370400440532013000' }, /U\+0415 \("Е"\).*only look like a letter/],
    [
      { counterparty_name: 'Jo\u202ehn' },
      /contains U\+202E \(a mark that turns the writing around\) as character 3; remove it/
    ],
    [{ counterparty_name: 'François' }, /The bank is sent "Francois"/],
    [
      { counterparty_iban: 'BR1800360305000010009795493C1' },
      /do not reach accounts in BR; take this transfer out/
    ],
    [{ counterparty_bic: 'CRLYFRPPTOU' }, /in FR and the account in DE; check both/]
  ]
  for (const [change, detail] of details)
    it(`names what is wrong: ${String(detail)}`, () => {
      assert.match(tell(change) ?? '', detail)
    })
})
