import { isDeepStrictEqual } from 'node:util'
import { demoOrganization } from '../../src/organizations/demo-organization.ts'
import type { BulkRequest } from '../../src/transfers/bulk-request.ts'
import { findScenario } from '../../src/sandbox-bank/scenarios.ts'
import { isAccepted, reasonOf, toCents, totalOf, type History, type Try } from './history.ts'
import { judgeCancels, judgeRetries } from './judge-acts.ts'

export interface EndedTransfer {
  transfer_id: string
  amount: string
  counterparty_iban: string
  status: string
  retry_of: string | null
  retried_as: string | null
  returned: { amount: string } | null
}

export interface ListedIncident {
  kind: string
  subject: string
  resolved_at: string | null
}

/** What the APIs say at the end, when everything is final. */
export interface End {
  /** The transfers of each bulk that is there, by its id, in their order. */
  bulks: Map<string, EndedTransfer[]>
  accounts: { iban: string; balance: string; reserved: string }[]
  incidents: ListedIncident[]
}

/**
 * Replays what clients did and were told against a small model of what a bulk is: each id has one bulk at most, the
 * first that is accepted has it for ever, and an account never promises more than it has. Returns what cannot be.
 */
export function judge(history: History, end: End): string[] {
  const submitted = findAccepted(history)
  const accepted = new Map([...submitted, ...findChildren(history, submitted, end)])
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
    ...judgeBooks(accepted, end),
    ...judgeEnds(history, accepted, end),
    ...judgeCancels(history, end),
    ...judgeRetries(history, end),
    ...judgeIncidents(end)
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

/** The bulks that were made of failed transfers; that they have the right ones is judged apart. */
function findChildren(
  { acts }: History,
  submitted: Map<string, Accepted>,
  { bulks }: End
): Map<string, Accepted> {
  const retries = acts.filter(({ kind, child_id }) => kind === 'retry' && bulks.has(child_id))
  const children = new Map<string, Accepted>()
  for (const [child_id, tries] of Map.groupBy(retries, (act) => act.child_id)) {
    const parent = submitted.get(tries[0]!.bulk_id)!.bulk
    const ofParent = new Map(bulks.get(parent.request_id)!.map((row, index) => [row.transfer_id, index]))
    const credit_transfers = bulks.get(child_id)!.map(({ retry_of }) => {
      const index = ofParent.get(retry_of ?? '') ?? 0
      return parent.credit_transfers[index]!
    })
    const answered = tries.filter(({ answer }) => isAccepted(answer)).map(({ ended_ms }) => ended_ms)
    children.set(child_id, {
      bulk: { ...parent, request_id: child_id, credit_transfers },
      first_tried_ms: Math.min(...tries.map(({ started_ms }) => started_ms)),
      answered_ms: Math.min(...answered)
    })
  }
  return children
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
      const spent = sum(before.map((other) => paidOf(other.bulk.request_id, end)))
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

/** The balances follow from what was executed and what came back, and nothing is reserved any more. */
function judgeBooks(accepted: Map<string, Accepted>, end: End): string[] {
  return demoOrganization.accounts.flatMap(({ iban, opening_minor }) => {
    const paid = [...accepted.values()]
      .filter(({ bulk }) => bulk.organization_iban === iban)
      .reduce((sum, { bulk }) => sum + paidOf(bulk.request_id, end), 0n)
    const account = end.accounts.find((one) => one.iban === iban)
    const right = account?.reserved === '0.00' && toCents(account.balance) === opening_minor - paid
    return right
      ? []
      : [`${iban} has ${JSON.stringify(account)} after ${paid} of ${opening_minor} cents were paid`]
  })
}

/** What the bank makes of a payee is how the transfer ends, unless it was not sent because someone or a failure stopped its bulk. */
function judgeEnds({ acts }: History, accepted: Map<string, Accepted>, { bulks }: End): string[] {
  const cancelled = new Set(acts.filter(({ kind }) => kind === 'cancel').map(({ bulk_id }) => bulk_id))
  return [...accepted.values()].flatMap(({ bulk }) =>
    (bulks.get(bulk.request_id) ?? []).flatMap(({ counterparty_iban, status }, index) => {
      const expected = findScenario(counterparty_iban)?.expected_status ?? 'EXECUTED'
      const mayBeUnsent = bulk.on_failure === 'stop' || cancelled.has(bulk.request_id)
      const right = status === expected || (mayBeUnsent && status === 'CANCELLED')
      return right ? [] : [`${bulk.request_id}-${index} to ${counterparty_iban} ended as ${status}`]
    })
  )
}

/** Nobody has to look into anything but where the bank contradicted itself. */
function judgeIncidents({ incidents, bulks }: End): string[] {
  const contradicted = new Set(
    [...bulks.values()]
      .flat()
      .filter(({ counterparty_iban }) => findScenario(counterparty_iban)?.scenario === 'contradiction')
      .map(({ transfer_id }) => `transfer ${transfer_id}`)
  )
  return incidents
    .filter(
      ({ kind, subject, resolved_at }) =>
        !(kind === 'contradictory-result' && contradicted.has(subject)) &&
        // Under faults work may lie about for a minute; then it is done.
        !(kind === 'overdue-work' && resolved_at !== null)
    )
    .map((incident) => `an incident for nothing: ${JSON.stringify(incident)}`)
}

/** What of a bulk has left the account and not come back. */
function paidOf(id: string, { bulks }: End): bigint {
  return (bulks.get(id) ?? [])
    .filter(({ status }) => status === 'EXECUTED' || status === 'RETURNED')
    .reduce((sum, { amount, returned }) => sum + toCents(amount) - toCents(returned?.amount ?? '0.00'), 0n)
}
