import type { Context } from '../context.ts'
import { reportFindings } from '../incidents/incidents.ts'
import { describeAmount, nameAccount, nameBulk } from '../verification/violation.ts'
import { unreadableSecret } from '../webhooks/deliver.ts'
import {
  findMoneyOnClosed,
  findMuteEndpoints,
  findOrphanedReserves,
  findOverdue,
  tellOfUnknown
} from './queries.ts'

/** Due for this long, while nothing at all is worked on: something is wrong. */
const overdueMs = 60_000
/** Nor may anything wait for this long behind other work. */
const longestQueueMs = 3_600_000
const mostFound = 100

/**
 * Looks for work that nobody does, for reserves that belong to no transfer, for money that nobody can pay and for webhook
 * endpoints that are told nothing, and raises the alarm; what is in order again ends its incident by itself. Whose
 * transfers have an unknown outcome for long is told, once.
 */
export async function sweep(context: Context): Promise<string> {
  const overdue = await findOverdueBulks(context)
  await reportFindings(context, 'overdue-work', { all: overdue, complete: overdue.length < mostFound })
  const orphaned = await findWrongReserves(context)
  await reportFindings(context, 'orphaned-reserve', { all: orphaned, complete: orphaned.length < mostFound })
  const stuck = await findStuckMoney(context)
  await reportFindings(context, 'money-on-closed-account', { all: stuck, complete: stuck.length < mostFound })
  await reportEndpoints(context)
  await tellOfUnknown(context.db, { limit: mostFound })
  return `${overdue.length} bulks overdue, ${orphaned.length} reserves orphaned`
}

async function findOverdueBulks(context: Context) {
  const rows = await findOverdue(context.db, {
    overdue_ms: overdueMs,
    longest_queue_ms: longestQueueMs,
    limit: mostFound
  })
  return rows.map(({ organization_id, bulk_no, bulk_id, chunks, due_at }) => ({
    // A bulk_id is chosen by whoever submits: another organization may have the same.
    subject: nameBulk({ organization_id, bulk_id }),
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

async function findStuckMoney(context: Context) {
  const rows = await findMoneyOnClosed(context.db, { limit: mostFound })
  return rows.map(({ currency, balance_minor, ...account }) => ({
    subject: nameAccount(account),
    details: `it is closed and has ${describeAmount(balance_minor, currency)}; agree with its owner where that goes`,
    organization_id: account.organization_id,
    bulk_no: null,
    seq: null
  }))
}

/** Endpoints of webhooks that somebody should know of: their owners may not look for days. */
async function reportEndpoints(context: Context): Promise<void> {
  const rows = await findMuteEndpoints(context.db, { unsigned_cause: unreadableSecret, limit: mostFound })
  for (const kind of ['webhook-disabled', 'webhook-unsigned'] as const) {
    const found = rows.filter(
      ({ disabled_reason }) => (disabled_reason === null) === (kind === 'webhook-unsigned')
    )
    await reportFindings(context, kind, {
      all: found.map(describeEndpoint),
      complete: rows.length < mostFound
    })
  }
}

function describeEndpoint(row: Awaited<ReturnType<typeof findMuteEndpoints>>[number]) {
  const { organization_id, endpoint_no, disabled_reason, since, last_failure } = row
  const state = disabled_reason === null ? 'failing' : `disabled (${disabled_reason})`
  return {
    subject: `webhook endpoint ${endpoint_no} of organization ${organization_id}`,
    details: `${state} since ${since.toISOString()}; its last failure: ${last_failure}`,
    organization_id,
    bulk_no: null,
    seq: null
  }
}
