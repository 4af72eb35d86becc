import type { Context } from '../context.ts'
import { reportFindings } from '../incidents/incidents.ts'
import { describeAmount, nameAccount } from '../verification/violation.ts'
import { findOrphanedReserves, findOverdue } from './queries.ts'

/** Due for this long, while nothing at all is worked on: something is wrong. */
const overdueMs = 60_000
/** Nor may anything wait for this long behind other work. */
const longestQueueMs = 3_600_000
const mostFound = 100

/**
 * Looks for work that nobody does and for reserves that belong to no transfer, and raises the alarm; what is in order
 * again ends its incident by itself.
 */
export async function sweep(context: Context): Promise<string> {
  const overdue = await findOverdueBulks(context)
  await reportFindings(context, 'overdue-work', { all: overdue, complete: overdue.length < mostFound })
  const orphaned = await findWrongReserves(context)
  await reportFindings(context, 'orphaned-reserve', { all: orphaned, complete: orphaned.length < mostFound })
  return `${overdue.length} bulks overdue, ${orphaned.length} reserves orphaned`
}

async function findOverdueBulks(context: Context) {
  const rows = await findOverdue(context.db, {
    overdue_ms: overdueMs,
    longest_queue_ms: longestQueueMs,
    limit: mostFound
  })
  return rows.map(({ organization_id, bulk_no, bulk_id, chunks, due_at }) => ({
    subject: `bulk ${bulk_id}`,
    details: `${chunks} chunks are due since ${due_at.toISOString()} or later, and nobody works on them`,
    organization_id,
    bulk_no,
    seq: null
  }))
}

async function findWrongReserves(context: Context) {
  const rows = await findOrphanedReserves(context.db, { limit: mostFound })
  return rows.map(({ currency, reserved_minor, open_minor, ...account }) => ({
    subject: nameAccount(account),
    details: `it reserves ${describeAmount(reserved_minor, currency)}, its open transfers add up to ${describeAmount(open_minor, currency)}`,
    organization_id: account.organization_id,
    bulk_no: null,
    seq: null
  }))
}
