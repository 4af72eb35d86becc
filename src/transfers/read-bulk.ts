import type { Tx } from '../database/statement.ts'
import { statement } from '../database/statement.ts'
import { type Currency, formatAmount } from '../domain/money.ts'
import type { BulkStatus } from '../domain/status.ts'
import { countPayeeResults } from './verify-payees.ts'

const bulkRow = {
  bulk_no: 'int8',
  request_id: 'uuid',
  status: 'text',
  version: 'int4',
  label: 'text?',
  retry_of: 'uuid?',
  stopped_at: 'timestamptz?',
  disputed: 'bool',
  held: 'bool',
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
  unknown_minor: 'int8',
  payees_checked_at: 'timestamptz?',
  payee_results: 'text?',
  payees_held: 'bool?',
  payees_released_at: 'timestamptz?',
  payees_released_by: 'text?'
} as const

/**
 * Bulks and what their transfers are at one instant. Ended transfers are counted on the bulk, open ones in its chunks;
 * the two are read in one snapshot, and that they add up to the total is not computed but true.
 */
const describedBulks = (bulks: string) => `
   select b.bulk_no, b.request_id, b.status::text, b.version, b.label, b.metadata, b.on_failure::text, a.iban, a.bic, b.currency,
          b.accepted_at, b.completed_at, b.transfer_count, b.total_minor, b.executed_count, b.executed_minor,
          b.failed_count, b.failed_minor, b.cancelled_count, b.cancelled_minor, b.returned_count, b.returned_minor,
          b.stopped_at,
          (select p.request_id from bulk p where (p.organization_id, p.bulk_no) = (b.organization_id, b.retry_of)) as retry_of,
          exists (
            select from incident i
            where (i.organization_id, i.bulk_no) = (b.organization_id, b.bulk_no) and i.resolved_at is null
          ) as disputed,
          b.completed_at is null and exists (
            select from hold h
            where (h.organization_id, h.bulk_no) = (b.organization_id, b.bulk_no) and h.released_at is null
          ) as held, o.*,
          v.checked_at as payees_checked_at, v.results as payee_results, v.held as payees_held,
          p.released_at as payees_released_at, p.released_by as payees_released_by
   from (${bulks}) b
   join account a using (organization_id, account_id)
   left join payee_verification v using (organization_id, bulk_no)
   left join hold p on (p.organization_id, p.bulk_no) = (b.organization_id, b.bulk_no) and p.cause = 'payees'
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
   order by b.accepted_at desc, b.bulk_no desc`

const selectBulk = statement(
  'select-bulk',
  { organization_id: 'int4', request_id: 'uuid' },
  bulkRow,
  describedBulks('select * from bulk where organization_id = :organization_id and request_id = :request_id')
)

/** A page of bulks behind one of them, the newest first. Its place never changes, whatever becomes of the bulk. */
const pageOfBulks = (condition: string) =>
  describedBulks(`
     select * from bulk
     where organization_id = :organization_id ${condition}
       and accepted_at >= :from and accepted_at < :to
       and (accepted_at, bulk_no) < (
         coalesce((select accepted_at from bulk where (organization_id, bulk_no) = (:organization_id, :before_no)), 'infinity'),
         coalesce(:before_no, 0))
     order by accepted_at desc, bulk_no desc limit :limit`)

const pageParameters = {
  organization_id: 'int4',
  from: 'timestamptz',
  to: 'timestamptz',
  before_no: 'int8?',
  limit: 'int4'
} as const

const selectBulks = statement('select-bulks', pageParameters, bulkRow, pageOfBulks(''))

/** A statement of its own, so that each has the plan of its index. */
const selectBulksOfStatus = statement(
  'select-bulks-of-status',
  { ...pageParameters, status: 'text' },
  bulkRow,
  pageOfBulks('and status = :status::bulk_status')
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
  return row ? describeBulk(row) : null
}

/** Bulks of an organization that were accepted in a span of time, the newest first; each with its place in the list. */
export async function listBulks(
  tx: Tx,
  query: {
    organization_id: number
    status: BulkStatus | null
    from: Date | null
    to: Date | null
    before_no: bigint | null
    limit: number
  }
) {
  const { status, from, to, ...rest } = query
  const page = { ...rest, from: from ?? beginning, to: to ?? end }
  const rows = await (status === null ? selectBulks(tx, page) : selectBulksOfStatus(tx, { ...page, status }))
  return rows.map((row) => ({ place: row.bulk_no, bulk: describeBulk(row) }))
}

const beginning = new Date(0)
const end = new Date('9999-12-31T00:00:00Z')

function describeBulk(row: BulkRow) {
  return {
    ...describeStatus(row),
    organization_iban: row.iban,
    organization_bic: row.bic,
    label: row.label,
    metadata: row.metadata as Record<string, string> | null,
    on_failure: row.on_failure as 'continue' | 'stop',
    stopped_at: row.stopped_at?.toISOString() ?? null,
    retry_of: row.retry_of,
    payee_check: describePayeeCheck(row),
    status_url: `/transfers/bulk/${row.request_id}/status`,
    transfers_url: `/transfers/bulk/${row.request_id}/transfers`
  }
}

/** What became of the check of a bulk's payees, or null if nobody was to be asked. */
function describePayeeCheck(row: BulkRow) {
  if (row.payees_checked_at === null) return null
  return {
    checked_at: row.payees_checked_at.toISOString(),
    opted_out: row.payee_results === null,
    ...countPayeeResults(row.payee_results ?? ''),
    held: row.payees_held === true,
    released_at: row.payees_released_at?.toISOString() ?? null,
    released_by: row.payees_released_by
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
    held: row.held,
    needs_attention:
      row.held ||
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
