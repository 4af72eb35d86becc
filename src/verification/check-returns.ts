import { statement } from '../database/statement.ts'
import { check, describeAmount, listFaults, nameBulk, nameTransfer, type Check } from './violation.ts'

const selectWrongReturns = statement(
  'verify-returns',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_no: 'int8',
    seq: 'int2',
    bulk_reference: 'text',
    currency: 'text',
    returned_minor: 'int8?',
    executed_minor: 'int8?',
    posting_count: 'int8',
    posted_minor: 'int8',
    elsewhere_count: 'int8'
  },
  `with credit as (
     select p.organization_id, p.bulk_no, p.seq, count(*) as posting_count, sum(p.amount_minor) as posted_minor,
            count(*) filter (where p.account_id <> b.account_id) as elsewhere_count
     from posting p join bulk b using (organization_id, bulk_no)
     where p.kind = 'RETURN'
     group by 1, 2, 3
   ), pair as materialized (
     select organization_id, bulk_no, seq, r.amount_minor as returned_minor,
            coalesce(c.posting_count, 0) as posting_count, coalesce(c.posted_minor, 0)::int8 as posted_minor,
            coalesce(c.elsewhere_count, 0) as elsewhere_count
     from transfer_return r full join credit c using (organization_id, bulk_no, seq)
   ), found as materialized (
     select organization_id, bulk_no, seq, p.returned_minor, o.amount_minor as executed_minor, p.posting_count,
            p.posted_minor, p.elsewhere_count
     from pair p
     left join (select * from outcome where status = 'EXECUTED') o using (organization_id, bulk_no, seq)
     where p.returned_minor is null or o.amount_minor is null
        or p.returned_minor not between 1 and o.amount_minor
        or p.posting_count <> 1 or p.posted_minor <> p.returned_minor or p.elsewhere_count > 0
   )
   select f.organization_id, f.bulk_no, f.seq, b.bulk_reference, b.currency, f.returned_minor, f.executed_minor,
          f.posting_count, f.posted_minor, f.elsewhere_count
   from found f join bulk b using (organization_id, bulk_no)
   limit :row_limit`
)

const checkReturns = check(selectWrongReturns, (row) => {
  const amount = (minor: bigint | null) => describeAmount(minor ?? 0n, row.currency)
  const { returned_minor, executed_minor } = row
  return {
    invariant: 'I4',
    subject: nameTransfer(row),
    details: listFaults({
      [`it was not returned, but ${amount(row.posted_minor)} were posted as its return`]:
        returned_minor === null,
      'it was returned, but it is not EXECUTED': returned_minor !== null && executed_minor === null,
      [`${amount(returned_minor)} of it were returned, ${amount(executed_minor)} were executed`]:
        returned_minor !== null &&
        executed_minor !== null &&
        (returned_minor < 1n || returned_minor > executed_minor),
      [`it was returned and has ${row.posting_count} RETURN postings, not one`]:
        returned_minor !== null && row.posting_count !== 1n,
      [`${amount(returned_minor)} were returned, and ${amount(row.posted_minor)} posted`]:
        returned_minor !== null && row.posting_count === 1n && row.posted_minor !== returned_minor,
      'it was returned to another account than that of its bulk': row.elsewhere_count > 0n
    })
  }
})

const selectWrongRetries = statement(
  'verify-retries',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_no: 'int8',
    seq: 'int2',
    bulk_reference: 'text?',
    outcome: 'text?',
    same_content: 'bool',
    linked: 'bool',
    same_account: 'bool'
  },
  `with found as materialized (
     select r.organization_id, r.bulk_no, r.seq, p.bulk_reference, o.status::text as outcome,
            (one.amount_minor, one.counterparty_iban) is not distinct from (other.amount_minor, other.counterparty_iban)
              and one.amount_minor is not null as same_content,
            coalesce(c.retry_of = r.bulk_no, false) as linked,
            coalesce(c.account_id = p.account_id, false) as same_account
     from transfer_retry r
     left join bulk p using (organization_id, bulk_no)
     left join bulk c on (c.organization_id, c.bulk_no) = (r.organization_id, r.child_bulk_no)
     left join outcome o on (o.organization_id, o.bulk_no, o.seq) = (r.organization_id, r.bulk_no, r.seq)
     left join transfer one on (one.organization_id, one.bulk_no, one.seq) = (r.organization_id, r.bulk_no, r.seq)
     left join transfer other
       on (other.organization_id, other.bulk_no, other.seq) = (r.organization_id, r.child_bulk_no, r.child_seq)
   )
   select * from found
   where outcome is distinct from 'FAILED' or not same_content or not linked or not same_account
   limit :row_limit`
)

const checkRetries = check(selectWrongRetries, (row) => ({
  invariant: 'I7',
  subject: nameTransfer(row),
  details: listFaults({
    [`it was retried, but it is ${row.outcome ?? 'open'}, not FAILED`]: row.outcome !== 'FAILED',
    'what was sent instead of it has another amount or payee, or is not there': !row.same_content,
    'the bulk of its retry is not a retry of its bulk': !row.linked,
    'the bulk of its retry is of another account': !row.same_account
  })
}))

const selectStrayRetries = statement(
  'verify-retry-bulks',
  { row_limit: 'int4' },
  { organization_id: 'int4', bulk_id: 'uuid', stray_count: 'int8' },
  `with found as materialized (
     select b.organization_id, b.request_id as bulk_id, count(*) as stray_count
     from bulk b
     join transfer t using (organization_id, bulk_no)
     left join transfer_retry r
       on (r.organization_id, r.child_bulk_no, r.child_seq) = (t.organization_id, t.bulk_no, t.seq)
     where b.retry_of is not null and r.bulk_no is distinct from b.retry_of
     group by 1, 2
   )
   select * from found limit :row_limit`
)

const checkRetryBulks = check(selectStrayRetries, (row) => ({
  invariant: 'I7',
  subject: nameBulk(row),
  details: `it is a retry, but this many of its transfers retry none of the bulk that it is a retry of: ${row.stray_count}`
}))

/** I4 and I7 for what came after the end: money that came back, and failed transfers that were sent again. */
export const returnChecks: Record<string, Check> = {
  'returns of executed transfers': checkReturns,
  'retries of failed transfers': checkRetries,
  'contents of retries': checkRetryBulks
}
