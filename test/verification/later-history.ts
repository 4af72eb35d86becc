import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { receiveNotices, settleNotices } from '../../src/execution/notices.ts'
import { notReconciled, reconcile } from '../../src/reconciliation/reconcile.ts'
import { retryFailed } from '../../src/transfers/retry-failed.ts'
import { showStatement } from '../support/bank-statement.ts'
import { aTransfer } from '../support/builders.ts'
import { logOf } from '../support/scripted-bank.ts'
import { findBulks, makeHistory, submit, workOnce, type History, type SmallBulk } from './history.ts'

/** A history that went on after its transfers had ended. */
export interface LaterHistory extends History {
  /** Of on_failure stop: 50.00 FAILED and 10.00 EXECUTED in one chunk, 10.00 CANCELLED. */
  stopped: SmallBulk
  /** Of on_failure stop: 4 of 10.00, PENDING in two chunks. */
  waiting: SmallBulk
  /** 50.00, PENDING: the retry of what failed of `mixed`. */
  retry: SmallBulk
}

/**
 * Of `executed`, 40.00 of the first transfer came back, and the second was told to have failed, which opened an
 * incident; the bank's statement has the debits of all three and the return.
 */
export async function makeLaterHistory(): Promise<LaterHistory> {
  const history = await makeHistory()
  const { context, database, organization_id, executed, mixed, pending } = history
  await database.sql(`update chunk set due_at = now() + interval '1 year' where due_at is not null`)
  const stopped_id = await submit(context, organization_id, ['50.00', '10.00', '10.00'], 'stop')
  await workOnce(context)
  const waiting_id = await submit(context, organization_id, ['10.00', '10.00', '10.00', '10.00'], 'stop')
  const retry_id = randomUUID()
  const retried = await retryFailed(context, organization_id, { bulk_id: mixed.id, request_id: retry_id })
  assert.equal(retried?.outcome, 'accepted')
  await tell(history, { seq: 0, status: 'RETURNED', amount: '40.00' })
  await tell(history, { seq: 1, status: 'REJECTED', amount: '100.00' })
  showStatement(context.bank, [
    ...[0, 1, 2].map((seq) => ({ reference: executed.reference(seq) })),
    { kind: 'RETURN' as const, reference: executed.reference(0), amount: '40.00' }
  ])
  await reconcile(context, notReconciled, () => Promise.resolve('go-on'))
  const bulks = [executed.id, mixed.id, pending.id, stopped_id, waiting_id, retry_id]
  const [, , , stopped, waiting, retry] = await findBulks(database, bulks)
  assert(stopped && waiting && retry)
  return { ...history, stopped, waiting, retry, log: logOf(context.bank) }
}

async function tell(
  { context, executed }: History,
  said: { seq: number; status: 'RETURNED' | 'REJECTED'; amount: string }
): Promise<void> {
  const { counterparty_iban, currency } = aTransfer()
  const { seq, ...rest } = said
  const reference = executed.reference(seq)
  const about = { notice_id: `notice-${seq}`, reference, reason_code: 'AC04', reason: 'Closed account' }
  await receiveNotices(context, [{ ...about, ...rest, counterparty_iban, currency }], 'callback')
  assert.equal(await settleNotices(context), 1)
}
