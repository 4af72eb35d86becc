import type { Context } from '../context.ts'
import { openIncident, resolveOthers } from '../incidents/incidents.ts'
import { nameAccount } from '../verification/violation.ts'
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
  const overdue = await findOverdue(context.db, {
    overdue_ms: overdueMs,
    longest_queue_ms: longestQueueMs,
    limit: mostFound
  })
  for (const { bulk_id, chunks, due_at, ...bulk } of overdue)
    await openIncident(context, {
      kind: 'overdue-work',
      subject: `bulk ${bulk_id}`,
      details: `${chunks} chunks are due since ${due_at.toISOString()} or later, and nobody works on them`,
      ...bulk,
      seq: null
    })
  const orphaned = await findOrphanedReserves(context.db, { limit: mostFound })
  for (const account of orphaned)
    await openIncident(context, {
      kind: 'orphaned-reserve',
      subject: nameAccount(account),
      details: `it reserves ${account.reserved_minor} minor units, its open transfers are ${account.open_minor}`,
      organization_id: account.organization_id,
      bulk_no: null,
      seq: null
    })
  // What was not found because there is too much of it is not in order again.
  if (overdue.length < mostFound)
    await resolveOthers(context.db, {
      kind: 'overdue-work',
      subjects: overdue.map(({ bulk_id }) => `bulk ${bulk_id}`)
    })
  if (orphaned.length < mostFound)
    await resolveOthers(context.db, { kind: 'orphaned-reserve', subjects: orphaned.map(nameAccount) })
  return `${overdue.length} bulks overdue, ${orphaned.length} reserves orphaned`
}
