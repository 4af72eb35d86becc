import type { Context } from '../context.ts'
import { statement } from '../database/statement.ts'
import { type Currency, formatAmount } from '../domain/money.ts'
import { readBulk, type readBulkStatus } from '../transfers/read-bulk.ts'
import { endHoldOfPayees } from './hold.ts'
import { measureStop } from './measure.ts'
import { stopBulk } from './queries.ts'

type Status = NonNullable<Awaited<ReturnType<typeof readBulkStatus>>>

export type Cancellation =
  | { outcome: 'stopped'; status: Status; cancelled_now: { count: number; amount: string } }
  | { outcome: 'not-found' }
  | { outcome: 'not-cancellable'; status: Status }

const findBulkToStop = statement(
  'find-bulk-to-stop',
  { organization_id: 'int4', request_id: 'uuid' },
  { bulk_no: 'int8', currency: 'text' },
  `select bulk_no, currency from bulk
   where organization_id = :organization_id and request_id = :request_id`
)

/**
 * Cancels what of a bulk is not sent yet, and tells what was cancelled by this call and what the whole is now. Each
 * transfer is either cancelled or paid, never both. Repeating it is harmless; only a bulk that ended without having
 * been stopped refuses.
 */
export async function cancelBulk(
  context: Context,
  organizationId: number,
  bulkId: string
): Promise<Cancellation> {
  const [bulk] = await findBulkToStop(context.db, { organization_id: organizationId, request_id: bulkId })
  if (!bulk) return { outcome: 'not-found' }
  const { bulk_no } = bulk
  const [stopped] = await context.db.transaction(async (tx) => {
    // First the hold, then its chunks, as whoever releases it does.
    await endHoldOfPayees(tx, { organization_id: organizationId, bulk_no }, context.origin)
    return stopBulk(tx, {
      organization_id: organizationId,
      bulk_no,
      by_wish: true,
      reason: 'cancelled on request',
      ...context.origin
    })
  })
  measureStop(context, stopped)
  // Read after the stop: another cancellation at the same time may have stopped and so ended it.
  const status = await readBulk(context.db, organizationId, bulkId)
  if (status === null) return { outcome: 'not-found' }
  if (status.stopped_at === null) return { outcome: 'not-cancellable', status }
  const { cancelled_count = 0n, cancelled_minor = 0n } = stopped ?? {}
  const amount = formatAmount(cancelled_minor, bulk.currency as Currency)
  return { outcome: 'stopped', status, cancelled_now: { count: Number(cancelled_count), amount } }
}
