import { statement } from '../database/statement.ts'
import { check, describeAmount, listFaults, nameBulk, type Check } from './violation.ts'

const selectRepeatedBulks = statement(
  'verify-bulk-keys',
  { row_limit: 'int4' },
  { organization_id: 'int4', bulk_id: 'uuid', hash_bytes: 'int4', same_id: 'int8', same_reference: 'int8' },
  `with found as materialized (
     select organization_id, request_id as bulk_id, octet_length(content_hash) as hash_bytes,
            count(*) over (partition by organization_id, request_id) as same_id,
            count(*) over (partition by bulk_reference) as same_reference
     from bulk
   )
   select * from found where same_id > 1 or same_reference > 1 or hash_bytes <> 32 limit :row_limit`
)

const checkKeys = check(selectRepeatedBulks, (row) => ({
  invariant: 'I6',
  subject: nameBulk(row),
  details: listFaults({
    [`${row.same_id} bulks of its organization have its request_id`]: row.same_id > 1n,
    [`${row.same_reference} bulks have its bulk_reference`]: row.same_reference > 1n,
    [`its content hash has ${row.hash_bytes} bytes, not 32`]: row.hash_bytes !== 32
  })
}))

const selectWrongStates = statement(
  'verify-bulk-states',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_id: 'uuid',
    status: 'text',
    accepted_at: 'timestamptz',
    completed_at: 'timestamptz?',
    claimed: 'bool'
  },
  `with claim as (
     select organization_id, bulk_no, bool_or(epoch > 0) as claimed from chunk group by 1, 2
   ), found as materialized (
     select organization_id, b.request_id as bulk_id, b.status::text, b.accepted_at, b.completed_at,
            coalesce(c.claimed, false) as claimed
     from bulk b left join claim c using (organization_id, bulk_no)
     where (b.completed_at is not null) <> (b.status not in ('PENDING', 'SCHEDULED', 'PROCESSING'))
        or b.completed_at < b.accepted_at
        or (b.status in ('PENDING', 'SCHEDULED') and c.claimed)
   )
   select * from found limit :row_limit`
)

const checkStates = check(selectWrongStates, (row) => ({
  invariant: 'I7',
  subject: nameBulk(row),
  details: listFaults({
    [`it is ${row.status}, but its time of completion is ${row.completed_at?.toISOString() ?? 'not set'}`]:
      (row.completed_at !== null) === ['PENDING', 'SCHEDULED', 'PROCESSING'].includes(row.status),
    'it was completed before it was accepted':
      row.completed_at !== null && row.completed_at < row.accepted_at,
    [`it is ${row.status}, but work on it has begun`]:
      row.claimed && ['PENDING', 'SCHEDULED'].includes(row.status)
  })
}))

const selectWrongEquations = statement(
  'verify-equations',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_id: 'uuid',
    currency: 'text',
    status: 'text',
    final_status: 'text',
    completed: 'bool',
    total: 'text',
    open: 'text',
    executed: 'text',
    executed_found: 'text',
    failed: 'text',
    failed_found: 'text',
    cancelled: 'text',
    cancelled_found: 'text',
    returned: 'text',
    returned_found: 'text',
    sum: 'text',
    open_count: 'int8'
  },
  `with ended as (
     select organization_id, bulk_no,
            count(*) filter (where status = 'EXECUTED') as executed_count,
            coalesce(sum(amount_minor) filter (where status = 'EXECUTED'), 0) as executed_minor,
            count(*) filter (where status = 'FAILED') as failed_count,
            coalesce(sum(amount_minor) filter (where status = 'FAILED'), 0) as failed_minor,
            count(*) filter (where status = 'CANCELLED') as cancelled_count,
            coalesce(sum(amount_minor) filter (where status = 'CANCELLED'), 0) as cancelled_minor
     from outcome group by 1, 2
   ), open as (
     select organization_id, bulk_no, sum(cardinality(seqs)) as open_count, sum(open_minor) as open_minor
     from chunk where due_at is not null group by 1, 2
   ), returned as (
     select organization_id, bulk_no, count(*) as returned_count, sum(amount_minor) as returned_minor
     from posting where kind = 'RETURN' group by 1, 2
   ), pair as (
     select organization_id, b.request_id as bulk_id, b.currency, b.status::text,
            final_bulk_status(b.transfer_count, b.executed_count, b.failed_count)::text as final_status,
            b.completed_at is not null as completed,
            b.transfer_count || ' ' || b.total_minor as total,
            coalesce(o.open_count, 0) || ' ' || coalesce(o.open_minor, 0) as open,
            b.executed_count || ' ' || b.executed_minor as executed,
            coalesce(e.executed_count, 0) || ' ' || coalesce(e.executed_minor, 0) as executed_found,
            b.failed_count || ' ' || b.failed_minor as failed,
            coalesce(e.failed_count, 0) || ' ' || coalesce(e.failed_minor, 0) as failed_found,
            b.cancelled_count || ' ' || b.cancelled_minor as cancelled,
            coalesce(e.cancelled_count, 0) || ' ' || coalesce(e.cancelled_minor, 0) as cancelled_found,
            b.returned_count || ' ' || b.returned_minor as returned,
            coalesce(r.returned_count, 0) || ' ' || coalesce(r.returned_minor, 0) as returned_found,
            b.executed_count + b.failed_count + b.cancelled_count + coalesce(o.open_count, 0) || ' ' ||
              b.executed_minor + b.failed_minor + b.cancelled_minor + coalesce(o.open_minor, 0) as sum,
            coalesce(o.open_count, 0) as open_count
     from bulk b
     left join ended e using (organization_id, bulk_no)
     left join open o using (organization_id, bulk_no)
     left join returned r using (organization_id, bulk_no)
   ), found as materialized (
     select * from pair
     where (executed, failed, cancelled, returned, total)
             is distinct from (executed_found, failed_found, cancelled_found, returned_found, sum)
        or completed <> (open_count = 0)
        or (open_count = 0 and status <> final_status)
        or (open_count > 0 and status not in ('PENDING', 'SCHEDULED', 'PROCESSING'))
   )
   select * from found limit :row_limit`
)

const checkEquations = check(selectWrongEquations, (row) => {
  // Count and amount travel as one text, "3 30000", since they are only ever compared together.
  const say = (pair: string) => {
    const [count = '', minor = '0'] = pair.split(' ')
    return `${count} of ${describeAmount(BigInt(minor), row.currency)}`
  }
  const open = row.open_count > 0n
  return {
    invariant: 'I8',
    subject: nameBulk(row),
    details: listFaults({
      ...differs('executed', say(row.executed), say(row.executed_found)),
      ...differs('failed', say(row.failed), say(row.failed_found)),
      ...differs('cancelled', say(row.cancelled), say(row.cancelled_found)),
      ...differs('returned', say(row.returned), say(row.returned_found)),
      [`its total is ${say(row.total)}, its ended and open transfers are ${say(row.sum)}`]:
        row.total !== row.sum,
      [`it is ${row.status} and ${say(row.open)} are open`]:
        open && (row.completed || !['PENDING', 'SCHEDULED', 'PROCESSING'].includes(row.status)),
      [`nothing is open, so it should be completed as ${row.final_status}; it is ${row.status}`]:
        !open && (!row.completed || row.status !== row.final_status)
    })
  }
})

function differs(what: string, kept: string, found: string): Record<string, boolean> {
  return { [`it counts ${kept} as ${what}, there are ${found}`]: kept !== found }
}

/** I6, I7 and I8 for whole bulks. */
export const bulkChecks: Record<string, Check> = {
  'one bulk per request': checkKeys,
  'states of bulks': checkStates,
  'equation of every bulk': checkEquations
}
