import type { Tx } from '../database/statement.ts'
import { statement } from '../database/statement.ts'
import { type Currency, formatAmount } from '../domain/money.ts'
import type { BulkStatus } from '../domain/status.ts'

/**
 * A bulk and what its transfers are at one instant. Ended transfers are counted on the bulk, open ones in its chunks;
 * the two are read in one snapshot, and that they add up to the total is not computed but true.
 */
const selectBulk = statement(
  'select-bulk',
  { organization_id: 'int4', request_id: 'uuid' },
  {
    request_id: 'uuid',
    status: 'text',
    version: 'int4',
    label: 'text?',
    retry_of: 'uuid?',
    stopped_at: 'timestamptz?',
    disputed: 'bool',
    unknown_long: 'bool',
    metadata: 'jsonb?',
    on_failure: 'text',
    iban: 'text',
    bic: 'text',
    currency: 'text',
    accepted_at: 'timestamptz',
    completed_at: 'timestamptz?',
    transfer_count: 'int4',
    total_minor: 'int8',
    executed_count: 'int4',
    executed_minor: 'int8',
    failed_count: 'int4',
    failed_minor: 'int8',
    cancelled_count: 'int4',
    cancelled_minor: 'int8',
    returned_count: 'int4',
    returned_minor: 'int8',
    pending_count: 'int4',
    pending_minor: 'int8',
    processing_count: 'int4',
    processing_minor: 'int8',
    unknown_count: 'int4',
    unknown_minor: 'int8'
  },
  `select b.request_id, b.status::text, b.version, b.label, b.metadata, b.on_failure::text, a.iban, a.bic, b.currency,
          b.accepted_at, b.completed_at, b.transfer_count, b.total_minor, b.executed_count, b.executed_minor,
          b.failed_count, b.failed_minor, b.cancelled_count, b.cancelled_minor, b.returned_count, b.returned_minor,
          b.stopped_at,
          (select p.request_id from bulk p where (p.organization_id, p.bulk_no) = (b.organization_id, b.retry_of)) as retry_of,
          exists (
            select from incident i
            where (i.organization_id, i.bulk_no) = (b.organization_id, b.bulk_no) and i.resolved_at is null
          ) as disputed, o.*
   from bulk b
   join account a using (organization_id, account_id)
   cross join lateral (
     select
       coalesce(sum(cardinality(seqs)) filter (where c.status = 'PENDING'), 0)::int4 as pending_count,
       coalesce(sum(open_minor) filter (where c.status = 'PENDING'), 0)::int8 as pending_minor,
       coalesce(sum(cardinality(seqs)) filter (where c.status in ('PROCESSING', 'SENT')), 0)::int4 as processing_count,
       coalesce(sum(open_minor) filter (where c.status in ('PROCESSING', 'SENT')), 0)::int8 as processing_minor,
       coalesce(sum(cardinality(seqs)) filter (where c.status = 'UNKNOWN'), 0)::int4 as unknown_count,
       coalesce(sum(open_minor) filter (where c.status = 'UNKNOWN'), 0)::int8 as unknown_minor,
       coalesce(bool_or(c.status = 'UNKNOWN' and c.since < now() - interval '15 minutes'), false) as unknown_long
     from chunk c
     where (c.organization_id, c.bulk_no) = (b.organization_id, b.bulk_no) and c.due_at is not null
   ) o
   where b.organization_id = :organization_id and b.request_id = :request_id`
)
type BulkRow = Awaited<ReturnType<typeof selectBulk>>[number]

/** The progress of a bulk, or null if the organization has none of this id. */
export async function readBulkStatus(tx: Tx, organizationId: number, bulkId: string) {
  const [row] = await selectBulk(tx, { organization_id: organizationId, request_id: bulkId })
  return row ? describeStatus(row) : null
}

/** The bulk with its progress, or null if the organization has none of this id. */
export async function readBulk(tx: Tx, organizationId: number, bulkId: string) {
  const [row] = await selectBulk(tx, { organization_id: organizationId, request_id: bulkId })
  if (!row) return null
  return {
    ...describeStatus(row),
    organization_iban: row.iban,
    organization_bic: row.bic,
    label: row.label,
    metadata: row.metadata as Record<string, string> | null,
    on_failure: row.on_failure as 'continue' | 'stop',
    stopped_at: row.stopped_at?.toISOString() ?? null,
    retry_of: row.retry_of,
    status_url: `/transfers/bulk/${row.request_id}/status`,
    transfers_url: `/transfers/bulk/${row.request_id}/transfers`
  }
}

function describeStatus(row: BulkRow) {
  const currency = row.currency as Currency
  const share = (count: number, minor: bigint) => ({ count, amount: formatAmount(minor, currency) })
  const ended = row.executed_count + row.failed_count + row.cancelled_count
  return {
    bulk_id: row.request_id,
    status: row.status as BulkStatus,
    final: row.completed_at !== null,
    needs_attention:
      row.disputed ||
      row.unknown_long ||
      (row.unknown_count > 0 && row.pending_count + row.processing_count === 0),
    currency: row.currency,
    total: share(row.transfer_count, row.total_minor),
    executed: share(row.executed_count, row.executed_minor),
    pending: share(row.pending_count, row.pending_minor),
    processing: share(row.processing_count, row.processing_minor),
    unknown: share(row.unknown_count, row.unknown_minor),
    failed: share(row.failed_count, row.failed_minor),
    cancelled: share(row.cancelled_count, row.cancelled_minor),
    returned: share(row.returned_count, row.returned_minor),
    progress: ended / row.transfer_count,
    accepted_at: row.accepted_at.toISOString(),
    completed_at: row.completed_at?.toISOString() ?? null,
    version: row.version
  }
}
