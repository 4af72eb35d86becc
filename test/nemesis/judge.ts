import { isDeepStrictEqual } from 'node:util'
import { demoOrganization } from '../../src/organizations/demo-organization.ts'
import type { BulkRequest } from '../../src/transfers/bulk-request.ts'
import { isAccepted, reasonOf, toCents, totalOf, type History, type Try } from './history.ts'
import { closedAccount } from './load.ts'

export interface EndedTransfer {
  amount: string
  counterparty_iban: string
  status: string
}

/** What the APIs say at the end, when everything is final. */
export interface End {
  /** The transfers of each bulk that is there, by its id, in their order. */
  bulks: Map<string, EndedTransfer[]>
  accounts: { iban: string; balance: string; reserved: string }[]
}

/**
 * Replays what clients did and were told against a small model of what a bulk is: each id has one bulk at most, the
 * first that is accepted has it for ever, and an account never promises more than it has. Returns what cannot be.
 */
export function judge(history: History, end: End): string[] {
  const accepted = findAccepted(history)
  const ids = [...Map.groupBy(history.tries, ({ bulk }) => bulk.request_id)]
  return [
    ...history.violations,
    ...ids.flatMap(([id, tries]) => judgeAnswers(id, tries)),
    ...judgePresence(
      ids.map(([id]) => id),
      accepted,
      end
    ),
    ...judgeFunds(history, accepted, end),
    ...judgeBooks(accepted, end)
  ]
}

interface Accepted {
  bulk: BulkRequest
  /** Not before this. */
  first_tried_ms: number
  /** Not after this. */
  answered_ms: number
}

function findAccepted({ tries }: History): Map<string, Accepted> {
  const accepted = new Map<string, Accepted>()
  for (const { bulk, ended_ms } of tries.filter(({ answer }) => isAccepted(answer))) {
    if (accepted.has(bulk.request_id)) continue
    const same = tries.filter((one) => one.bulk === bulk)
    const first_tried_ms = Math.min(...same.map(({ started_ms }) => started_ms))
    accepted.set(bulk.request_id, { bulk, first_tried_ms, answered_ms: ended_ms })
  }
  return accepted
}

/** All that was said of one id has to be true together, in some order that the times allow. */
function judgeAnswers(id: string, tries: Try[]): string[] {
  const wins = tries.filter(({ answer }) => isAccepted(answer))
  const [first] = wins
  const answeredFrom_ms = Math.min(...wins.map(({ ended_ms }) => ended_ms))
  const violations: string[] = []
  const blame = (what: string, one?: Try): void =>
    void violations.push(`${id}: ${what} ${JSON.stringify(one?.answer?.body ?? '')}`)
  if (wins.some(({ bulk }) => bulk !== first!.bulk)) blame('two contents were accepted')
  if (wins.some(({ answer }) => !isDeepStrictEqual(answer!.body, first!.answer!.body)))
    blame('it was accepted with different answers')
  if (wins.filter(({ answer }) => answer!.headers.get('idempotent-replayed') === null).length > 1)
    blame('it was accepted twice as new')
  for (const one of tries.filter(({ answer }) => answer !== null && !isAccepted(answer))) {
    const reason = reasonOf(one.answer!)
    const late = one.started_ms > answeredFrom_ms
    if (one.bulk === first?.bulk && late) blame('it was refused after it had been accepted', one)
    else if (reason === 'already-processed') {
      if (first === undefined || one.bulk === first.bulk) blame('it was taken by nobody', one)
    } else if (reason !== 'insufficient-account-balance') blame('it was refused for no reason', one)
    else if (late) blame('funds were looked at for an id that is taken', one)
  }
  return violations
}

function judgePresence(ids: string[], accepted: Map<string, Accepted>, { bulks }: End): string[] {
  return ids.flatMap((id) => {
    const sent = accepted.get(id)?.bulk.credit_transfers
    const found = bulks.get(id)
    if (sent === undefined) return found === undefined ? [] : [`${id} was refused and is there`]
    if (found === undefined) return [`${id} was accepted and is not there`]
    const content = (transfers: { amount: string; counterparty_iban: string }[]) =>
      transfers.map(({ amount, counterparty_iban }) => ({ amount, counterparty_iban }))
    return isDeepStrictEqual(content(found), content(sent))
      ? []
      : [`${id} has other transfers than were sent in`]
  })
}

/** Whether each acceptance and each refusal for lack of funds was possible, with what was promised at that time. */
function judgeFunds({ tries }: History, accepted: Map<string, Accepted>, end: End): string[] {
  return demoOrganization.accounts.flatMap(({ iban, opening_minor }) => {
    const others = [...accepted.values()].filter(({ bulk }) => bulk.organization_iban === iban)
    const sum = (amounts: bigint[]) => amounts.reduce((one, other) => one + other, 0n)
    const impossible = others.filter(({ bulk, first_tried_ms }) => {
      const before = others.filter((other) => other.answered_ms < first_tried_ms)
      const spent = sum(before.map((other) => executedOf(other.bulk.request_id, end)))
      return spent + totalOf(bulk) > opening_minor
    })
    const needless = tries.filter(({ bulk, answer, ended_ms }) => {
      if (bulk.organization_iban !== iban || answer === null) return false
      if (reasonOf(answer) !== 'insufficient-account-balance') return false
      const promised = sum(
        others.filter((other) => other.first_tried_ms < ended_ms).map((other) => totalOf(other.bulk))
      )
      return promised + totalOf(bulk) <= opening_minor
    })
    return [
      ...impossible.map(({ bulk }) => `${bulk.request_id} was accepted with too little money`),
      ...needless.map(({ bulk }) => `${bulk.request_id} was refused though there was enough money`)
    ]
  })
}

/** The balances follow from what was executed, and nothing is reserved any more; what a payee's bank rejects has failed. */
function judgeBooks(accepted: Map<string, Accepted>, end: End): string[] {
  const balances = demoOrganization.accounts.flatMap(({ iban, opening_minor }) => {
    const paid = [...accepted.values()]
      .filter(({ bulk }) => bulk.organization_iban === iban)
      .reduce((sum, { bulk }) => sum + executedOf(bulk.request_id, end), 0n)
    const account = end.accounts.find((one) => one.iban === iban)
    const right = account?.reserved === '0.00' && toCents(account.balance) === opening_minor - paid
    return right
      ? []
      : [`${iban} has ${JSON.stringify(account)} after ${paid} of ${opening_minor} cents were paid`]
  })
  const ends = [...accepted.values()].flatMap(({ bulk }) =>
    (end.bulks.get(bulk.request_id) ?? []).flatMap(({ counterparty_iban, status }, index) => {
      const expected = counterparty_iban === closedAccount ? 'FAILED' : 'EXECUTED'
      const unsent = bulk.on_failure === 'stop' && status === 'CANCELLED'
      return status === expected || unsent ? [] : [`${bulk.request_id}-${index} ended as ${status}`]
    })
  )
  return [...balances, ...ends]
}

function executedOf(id: string, { bulks }: End): bigint {
  return (bulks.get(id) ?? [])
    .filter(({ status }) => status === 'EXECUTED')
    .reduce((sum, { amount }) => sum + toCents(amount), 0n)
}
