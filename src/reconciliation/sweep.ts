import type { Context } from '../context.ts'
import { openIncident, resolveOthers } from '../incidents/incidents.ts'
import { findOrphanedReserves, findOverdue } from './queries.ts'

/** Due for this long, and claimed by nobody or by one whose lease ran out: something is wrong. */
const overdueMs = 60_000
const overdueLimit = 100

/**
 * Looks for work that nobody does and for reserves that belong to no transfer, and raises the alarm; what is in order
 * again ends its incident by itself.
 */
export async function sweep(context: Context): Promise<string> {
  const overdue = await findOverdue(context.db, { overdue_ms: overdueMs, limit: overdueLimit })
  for (const { bulk_id, chunks, due_at, ...bulk } of overdue)
    await openIncident(context, {
      kind: 'overdue-work',
      subject: `bulk ${bulk_id}`,
      details: `${chunks} chunks are due since ${due_at.toISOString()} or later, and nobody works on them`,
      ...bulk,
      seq: null
    })
  const orphaned = await findOrphanedReserves(context.db, {})
  for (const account of orphaned)
    await openIncident(context, {
      kind: 'orphaned-reserve',
      subject: nameAccount(account),
      details: `it reserves ${account.reserved_minor} minor units, its open transfers are ${account.open_minor}`,
      organization_id: account.organization_id,
      bulk_no: null,
      seq: null
    })
  await resolveOthers(context.db, {
    kind: 'overdue-work',
    subjects: overdue.map(({ bulk_id }) => `bulk ${bulk_id}`)
  })
  await resolveOthers(context.db, { kind: 'orphaned-reserve', subjects: orphaned.map(nameAccount) })
  return `${overdue.length} bulks overdue, ${orphaned.length} reserves orphaned`
}

function nameAccount(account: { organization_id: number; account_id: number }): string {
  return `account ${account.account_id} of organization ${account.organization_id}`
}
