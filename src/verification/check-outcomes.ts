import { statement } from '../database/statement.ts'
import { check, describeAmount, listFaults, nameTransfer, type Check } from './violation.ts'

const selectWrongDebits = statement(
  'verify-debits',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_no: 'int8',
    seq: 'int2',
    bulk_reference: 'text',
    currency: 'text',
    executed_minor: 'int8?',
    posting_count: 'int8',
    posted_minor: 'int8',
    elsewhere_count: 'int8'
  },
  `with debit as (
     select p.organization_id, p.bulk_no, p.seq, count(*) as posting_count, sum(p.amount_minor) as posted_minor,
            count(*) filter (where p.account_id <> b.account_id) as elsewhere_count
     from posting p join bulk b using (organization_id, bulk_no)
     where p.kind = 'TRANSFER'
     group by 1, 2, 3
   ), executed as (
     select organization_id, bulk_no, seq, amount_minor from outcome where status = 'EXECUTED'
   ), found as materialized (
     select organization_id, bulk_no, seq, e.amount_minor as executed_minor,
            coalesce(d.posting_count, 0) as posting_count, coalesce(d.posted_minor, 0)::int8 as posted_minor,
            coalesce(d.elsewhere_count, 0) as elsewhere_count
     from executed e full join debit d using (organization_id, bulk_no, seq)
     where e.amount_minor is null or d.posting_count is distinct from 1 or d.posted_minor <> -e.amount_minor
        or d.elsewhere_count > 0
   )
   select f.organization_id, f.bulk_no, f.seq, b.bulk_reference, b.currency, f.executed_minor, f.posting_count,
          f.posted_minor, f.elsewhere_count
   from found f join bulk b using (organization_id, bulk_no)
   limit :row_limit`
)

const checkDebits = check(selectWrongDebits, (row) => ({
  invariant: 'I4',
  subject: nameTransfer(row),
  details: listFaults({
    [`it is not EXECUTED, but ${describeAmount(row.posted_minor, row.currency)} were posted for it`]:
      row.executed_minor === null,
    [`it is EXECUTED and has ${row.posting_count} TRANSFER postings, not one`]:
      row.executed_minor !== null && row.posting_count !== 1n,
    [`${describeAmount(row.executed_minor ?? 0n, row.currency)} were executed, and ${describeAmount(row.posted_minor, row.currency)} posted`]:
      row.executed_minor !== null && row.posting_count === 1n && row.posted_minor !== -row.executed_minor,
    'it was posted to another account than that of its bulk': row.elsewhere_count > 0n
  })
}))

const selectWrongOutcomes = statement(
  'verify-outcomes',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_no: 'int8',
    seq: 'int2',
    bulk_reference: 'text',
    currency: 'text',
    status: 'text',
    amount_minor: 'int8',
    transfer_minor: 'int8?'
  },
  `with found as materialized (
     select organization_id, bulk_no, seq, o.status, o.amount_minor, t.amount_minor as transfer_minor
     from outcome o left join transfer t using (organization_id, bulk_no, seq)
     where t.amount_minor is distinct from o.amount_minor
   )
   select f.organization_id, f.bulk_no, f.seq, b.bulk_reference, b.currency, f.status::text, f.amount_minor,
          f.transfer_minor
   from found f join bulk b using (organization_id, bulk_no)
   limit :row_limit`
)

const checkOutcomes = check(selectWrongOutcomes, (row) => ({
  invariant: row.transfer_minor === null ? 'I5' : 'I4',
  subject: nameTransfer(row),
  details:
    row.transfer_minor === null
      ? `it has the outcome ${row.status}, but there is no such transfer`
      : `it is of ${describeAmount(row.transfer_minor, row.currency)}, its outcome of ${describeAmount(row.amount_minor, row.currency)}`
}))

const selectUnclaimed = statement(
  'verify-claims',
  { row_limit: 'int4' },
  { organization_id: 'int4', bulk_no: 'int8', seq: 'int2', bulk_reference: 'text', status: 'text' },
  `with claimed as materialized (
     select c.organization_id, c.bulk_no, s.seq
     from chunk c cross join unnest(c.seqs) as s (seq)
     where c.epoch > 0
   ), found as materialized (
     select o.organization_id, o.bulk_no, o.seq, o.status
     from outcome o
     where o.status <> 'CANCELLED' and not exists (
       select from claimed c where (c.organization_id, c.bulk_no, c.seq) = (o.organization_id, o.bulk_no, o.seq)
     )
   )
   select f.organization_id, f.bulk_no, f.seq, b.bulk_reference, f.status::text
   from found f join bulk b using (organization_id, bulk_no)
   limit :row_limit`
)

const checkClaims = check(selectUnclaimed, (row) => ({
  invariant: 'I7',
  subject: nameTransfer(row),
  details: `it is ${row.status}, but was never claimed, so the bank can't have been asked`
}))

/**
 * A time is when its transaction began. One that waits for the lock of another may have begun before it, and ends after
 * it: within the time that a statement may take their order says nothing.
 */
const selectWrongTimes = statement(
  'verify-times',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_no: 'int8',
    seq: 'int2',
    bulk_reference: 'text',
    status: 'text',
    recorded_at: 'timestamptz',
    accepted_at: 'timestamptz',
    attempted_at: 'timestamptz?'
  },
  `with last_attempt as (
     select organization_id, bulk_no, seq, max(recorded_at) as attempted_at from attempt group by 1, 2, 3
   ), found as materialized (
     select organization_id, bulk_no, seq, b.bulk_reference, o.status::text, o.recorded_at, b.accepted_at, a.attempted_at
     from outcome o
     join bulk b using (organization_id, bulk_no)
     left join last_attempt a using (organization_id, bulk_no, seq)
     where o.recorded_at < b.accepted_at or a.attempted_at > o.recorded_at + interval '1 minute'
   )
   select * from found limit :row_limit`
)

const checkTimes = check(selectWrongTimes, (row) => ({
  invariant: 'I7',
  subject: nameTransfer(row),
  details: listFaults({
    [`it became ${row.status} at ${row.recorded_at.toISOString()}, before its bulk was accepted at ${row.accepted_at.toISOString()}`]:
      row.recorded_at < row.accepted_at,
    [`it became ${row.status} at ${row.recorded_at.toISOString()} and was tried again at ${row.attempted_at?.toISOString() ?? ''}`]:
      row.attempted_at !== null && row.attempted_at.getTime() > row.recorded_at.getTime() + 60_000
  })
}))

/** I4 and I7 for single transfers, as far as the database can tell. */
export const outcomeChecks: Record<string, Check> = {
  'debits of executed transfers': checkDebits,
  'amounts of outcomes': checkOutcomes,
  'claims before outcomes': checkClaims,
  'order of events': checkTimes
}
