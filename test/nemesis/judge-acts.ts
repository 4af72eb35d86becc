import { isAccepted, reasonOf, type Act, type History } from './history.ts'
import type { End } from './judge.ts'

/** What clients were told of their cancels: what is cancelled stays so, and what has ended by itself was not cancelled. */
export function judgeCancels({ acts }: History, { bulks }: End): string[] {
  return acts
    .filter(({ kind, answer }) => kind === 'cancel' && answer !== null)
    .flatMap(({ bulk_id, answer }) => {
      const cancelled = (bulks.get(bulk_id) ?? []).filter(({ status }) => status === 'CANCELLED').length
      if (answer!.status === 200) {
        const told = answer!.body as Record<'cancelled' | 'cancelled_now', { count: number }>
        const most = Math.max(told.cancelled.count, told.cancelled_now.count)
        return most <= cancelled ? [] : [`${bulk_id}: ${most} were cancelled, and ${cancelled} are`]
      }
      if (reasonOf(answer!) !== 'not-cancellable')
        return [`${bulk_id}: a cancel was answered ${answer!.status}`]
      return cancelled === 0 ? [] : [`${bulk_id}: it had ended, and ${cancelled} were cancelled`]
    })
}

/** Each failed transfer has one that repeats it at most, in the bulk that says so; and one if a client was told. */
export function judgeRetries({ acts }: History, end: End): string[] {
  const retries = acts.filter(({ kind }) => kind === 'retry')
  return [
    ...[...Map.groupBy(retries, ({ child_id }) => child_id).values()].flatMap((same) =>
      judgeChild(same, end)
    ),
    ...[...Map.groupBy(retries, ({ bulk_id }) => bulk_id).values()].flatMap((same) => judgeParent(same, end))
  ]
}

function judgeChild(tries: Act[], { bulks }: End): string[] {
  const [{ bulk_id, child_id } = { bulk_id: '', child_id: '' }] = tries
  const answers = tries.flatMap(({ answer }) => (answer === null ? [] : [answer]))
  const accepted = answers.filter(isAccepted)
  const violations: string[] = []
  if (accepted.filter(({ headers }) => headers.get('idempotent-replayed') === null).length > 1)
    violations.push(`${child_id}: it was accepted twice as new`)
  if (new Set(accepted.map(({ body }) => JSON.stringify(body))).size > 1)
    violations.push(`${child_id}: it was accepted with different answers`)
  if (bulks.has(child_id) !== accepted.length > 0)
    violations.push(`${child_id}: ${accepted.length} times accepted, and there: ${bulks.has(child_id)}`)
  const excuses = ['nothing-to-retry', 'insufficient-account-balance']
  for (const answer of answers)
    if (!isAccepted(answer) && !excuses.includes(reasonOf(answer)))
      violations.push(`${child_id}: a retry of ${bulk_id} was answered ${answer.status} ${reasonOf(answer)}`)
  return violations
}

function judgeParent(tries: Act[], { bulks }: End): string[] {
  const [{ bulk_id } = { bulk_id: '' }] = tries
  const parents = bulks.get(bulk_id) ?? []
  const children = new Set(tries.map(({ child_id }) => child_id))
  const pairs = [...children].flatMap((id) =>
    (bulks.get(id) ?? []).map(({ transfer_id, retry_of, amount, counterparty_iban }) =>
      [retry_of, transfer_id, amount, counterparty_iban].join(' ')
    )
  )
  const expected = parents
    .filter(({ retried_as }) => retried_as !== null)
    .map(({ transfer_id, retried_as, amount, counterparty_iban }) =>
      [transfer_id, retried_as, amount, counterparty_iban].join(' ')
    )
  const violations: string[] = []
  if (pairs.toSorted().join() !== expected.toSorted().join())
    violations.push(
      `${bulk_id}: what failed and what repeats it do not fit: ${pairs.join()} / ${expected.join()}`
    )
  const wrong = parents.filter(({ status, retried_as }) => retried_as !== null && status !== 'FAILED')
  if (wrong.length > 0) violations.push(`${bulk_id}: ${wrong.length} were repeated that had not failed`)
  const complete = tries.some(
    ({ after_final, answer }) =>
      after_final && answer !== null && (isAccepted(answer) || reasonOf(answer) === 'nothing-to-retry')
  )
  const left = parents.filter(({ status, retried_as }) => status === 'FAILED' && retried_as === null)
  if (complete && left.length > 0) violations.push(`${bulk_id}: ${left.length} failed ones were left out`)
  return violations
}
