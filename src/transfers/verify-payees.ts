import { notPossible, type Payee, type PayeeAnswer, type PayeeResult } from '../banking/payee-check.ts'
import type { Context } from '../context.ts'
import type { ErrorItem, ProblemContent } from '../domain/problem.ts'
import type { PayeePolicy } from '../organizations/validation-profile.ts'
import type { StoredTransfer, ValidBulk } from './normalise-bulk.ts'

/** What is to be done about the payees of a bulk: what the organization has laid down, and what this request asks. */
export interface PayeeWish {
  policy: PayeePolicy
  opt_out: boolean
}

/** What was found out of a bulk's payees, as it is kept: evidence, and never changed. */
export interface PayeeVerification {
  checked_at: string
  /** A letter for each transfer, in their order; null: the payer opted out. */
  results: string | null
  /** Of close matches, by index. */
  suggested_names: Record<number, string> | null
  held: boolean
  /** Why it is held, for whoever looks. */
  hold_reason: string | null
}

/** A bulk of whose payees it is known what can be known; null: nobody was to be asked. */
export interface VerifiedBulk extends ValidBulk {
  payees: PayeeVerification | null
}

export type Verified =
  { outcome: 'valid'; bulk: VerifiedBulk } | { outcome: 'refused'; problem: ProblemContent }

/** Whether anything is asked or recorded at all. Who wants bulks held is not left unprotected by a missing setting. */
export function isPayeeCheckDue({ payeeCheck }: Context, { policy }: PayeeWish): boolean {
  return policy === 'hold' || (policy === 'warn' && payeeCheck !== null)
}

/**
 * Asks the payees' banks about all payees of a bulk, within a deadline, while no transaction is open. A service that is
 * down stops no payment: what it did not tell is not possible to tell, and told as such. Only where the organization
 * has its bulks held is that a reason to wait, too: else whoever stops the service could stop the check.
 */
export async function verifyPayees(context: Context, bulk: ValidBulk, wish: PayeeWish): Promise<Verified> {
  if (!isPayeeCheckDue(context, wish)) return { outcome: 'valid', bulk: { ...bulk, payees: null } }
  if (wish.opt_out && wish.policy === 'hold') return { outcome: 'refused', problem: optOutNotAllowed }
  const checked_at = new Date(context.clock.nowMs()).toISOString()
  if (wish.opt_out) {
    const payees = { checked_at, results: null, suggested_names: null, held: false, hold_reason: null }
    return { outcome: 'valid', bulk: { ...bulk, payees } }
  }
  const { transfers } = bulk
  const answers = await askAll(context, transfers)
  if (context.payeeCheck !== null && answers.every(({ result }) => result === 'not-possible'))
    context.log.warn({ payees: answers.length }, 'no payee of a bulk could be checked')
  const { sure, unsure } = describeFindings(transfers, answers)
  const held = wish.policy === 'hold' && answers.some(({ result }) => result !== 'match')
  const payees: PayeeVerification = {
    checked_at,
    results: answers.map(({ result }) => letters[result]).join(''),
    suggested_names: suggestedNames(answers),
    held,
    hold_reason: held ? describeHold(answers) : null
  }
  return { outcome: 'valid', bulk: { ...bulk, payees, warnings: [...sure, ...bulk.warnings, ...unsure] } }
}

async function askAll(
  { payeeCheck, settings }: Context,
  transfers: StoredTransfer[]
): Promise<PayeeAnswer[]> {
  if (payeeCheck === null) return transfers.map(() => notPossible)
  const payees = transfers.map(({ counterparty_name, counterparty_iban, counterparty_bic }): Payee => {
    return { name: counterparty_name, iban: counterparty_iban, bic: counterparty_bic }
  })
  return payeeCheck.verify(payees, settings.PAYEE_CHECK_TIMEOUT_MS)
}

const letters: Record<PayeeResult, string> = {
  match: 'M',
  'close-match': 'C',
  'no-match': 'N',
  'not-possible': 'X'
}
const resultsByLetter = new Map(
  Object.entries(letters).map(([result, letter]) => [letter, result as PayeeResult])
)

/** The result that a letter of the evidence stands for, or null where there is none. */
export function readPayeeResult(letter: string | null): PayeeResult | null {
  return resultsByLetter.get(letter ?? '') ?? null
}

/** How many payees had each result. */
export function countPayeeResults(results: string) {
  const count = (result: PayeeResult) => results.split(letters[result]).length - 1
  return {
    match: count('match'),
    close_match: count('close-match'),
    no_match: count('no-match'),
    not_possible: count('not-possible')
  }
}

function suggestedNames(answers: PayeeAnswer[]): Record<number, string> | null {
  const named = answers.flatMap(({ suggested_name }, index) =>
    suggested_name === null ? [] : [[index, suggested_name] as const]
  )
  return named.length === 0 ? null : Object.fromEntries(named)
}

function describeHold(answers: PayeeAnswer[]): string {
  const count = (wanted: PayeeResult) => answers.filter(({ result }) => result === wanted).length
  return `payees to be confirmed: ${count('no-match')} no match, ${count('close-match')} close match, ${count('not-possible')} not checked`
}

/** What the payer has to be told with every result but a match (Article 5c of Regulation (EU) No 260/2012). */
const atRisk = "If it is paid, the money may reach an account that is not the payee's."

/** Warnings of what a bank said, and of what none said: those stand behind all others, and are one if all are alike. */
function describeFindings(transfers: StoredTransfer[], answers: PayeeAnswer[]) {
  const warn = (index: number, code: string, detail: string): ErrorItem => {
    const { client_transfer_id } = transfers[index] ?? {}
    return {
      pointer: `/credit_transfers/${index}/counterparty_name`,
      index,
      // Stored transfers of a retry have null for what is missing.
      ...(typeof client_transfer_id === 'string' ? { client_transfer_id } : {}),
      code,
      detail: `${detail} ${atRisk}`
    }
  }
  const sure = answers.flatMap(({ result, suggested_name }, index) => {
    if (result === 'no-match')
      return warn(
        index,
        'payee-no-match',
        "The payee's bank says that this IBAN does not belong to this name."
      )
    if (result !== 'close-match') return []
    const name = suggested_name === null ? 'another name' : `the name ${JSON.stringify(suggested_name)}`
    return warn(index, 'payee-close-match', `The payee's bank says that the account goes by ${name}.`)
  })
  const unsure = answers.flatMap(({ result }, index) =>
    result === 'not-possible'
      ? warn(index, 'payee-not-checked', 'It could not be checked whether this IBAN belongs to this name.')
      : []
  )
  return { sure, unsure: unsure.length > 1 && unsure.length === answers.length ? [noneChecked] : unsure }
}

const noneChecked: ErrorItem = {
  pointer: '/credit_transfers',
  code: 'payees-not-checked',
  detail: `It could not be checked of any transfer whether its IBAN belongs to its name. ${atRisk}`
}

const optOutNotAllowed: ProblemContent = {
  reason: 'invalid-request',
  details: '/payee_check: Your organization has the payees of every bulk checked; leave payee_check out.',
  errors: [
    {
      pointer: '/payee_check',
      code: 'opt-out-not-allowed',
      detail: 'Your organization has the payees of every bulk checked; leave payee_check out.'
    }
  ]
}
