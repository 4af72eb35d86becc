import { statement } from '../database/statement.ts'
import { check, describeAmount, listFaults, nameBulk, nameTransfer, type Check } from './violation.ts'

const selectIncompleteBulks = statement(
  'verify-bulk-contents',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_id: 'uuid',
    currency: 'text',
    transfer_count: 'int4',
    found_count: 'int8',
    first_seq: 'int2?',
    last_seq: 'int2?',
    total_minor: 'int8',
    found_minor: 'int8',
    chunk_count: 'int4',
    found_chunks: 'int8',
    last_chunk_no: 'int4?'
  },
  `with content as (
     select organization_id, bulk_no, count(*) as found_count, min(seq) as first_seq, max(seq) as last_seq,
            sum(amount_minor) as found_minor
     from transfer group by 1, 2
   ), work as (
     select organization_id, bulk_no, count(*) as found_chunks, max(chunk_no) as last_chunk_no
     from chunk group by 1, 2
   ), found as materialized (
     select organization_id, b.request_id as bulk_id, b.currency, b.transfer_count,
            coalesce(t.found_count, 0) as found_count, t.first_seq, t.last_seq, b.total_minor,
            coalesce(t.found_minor, 0)::int8 as found_minor, b.chunk_count,
            coalesce(c.found_chunks, 0) as found_chunks, c.last_chunk_no
     from bulk b
     left join content t using (organization_id, bulk_no)
     left join work c using (organization_id, bulk_no)
   )
   select * from found
   where found_count <> transfer_count or first_seq <> 0 or last_seq <> transfer_count - 1 or found_minor <> total_minor
      or found_chunks <> chunk_count or last_chunk_no <> chunk_count - 1
   limit :row_limit`
)

const checkContents = check(selectIncompleteBulks, (row) => ({
  invariant: 'I5',
  subject: nameBulk(row),
  details: listFaults({
    [`it is of ${row.transfer_count} transfers, ${row.found_count} are there`]:
      BigInt(row.transfer_count) !== row.found_count,
    [`its transfers go from ${row.first_seq} to ${row.last_seq}, not from 0 to ${row.transfer_count - 1}`]:
      row.found_count > 0n && (row.first_seq !== 0 || row.last_seq !== row.transfer_count - 1),
    [`its total is ${describeAmount(row.total_minor, row.currency)}, its transfers add up to ${describeAmount(row.found_minor, row.currency)}`]:
      row.total_minor !== row.found_minor,
    [`it counts ${row.chunk_count} chunks, ${row.found_chunks} are there, the last has number ${row.last_chunk_no}`]:
      BigInt(row.chunk_count) !== row.found_chunks || row.last_chunk_no !== row.chunk_count - 1
  })
}))

const selectLostTransfers = statement(
  'verify-transfer-places',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_no: 'int8',
    seq: 'int2',
    bulk_reference: 'text',
    present: 'bool',
    outcome: 'text?',
    open_chunks: 'int8'
  },
  `with held as (
     select c.organization_id, c.bulk_no, s.seq, count(*) as open_chunks
     from chunk c cross join unnest(c.seqs) as s (seq)
     where c.due_at is not null
     group by 1, 2, 3
   ), found as materialized (
     select organization_id, bulk_no, seq, t.amount_minor is not null as present, o.status::text as outcome,
            coalesce(h.open_chunks, 0) as open_chunks
     from transfer t
     full join held h using (organization_id, bulk_no, seq)
     left join outcome o using (organization_id, bulk_no, seq)
     where t.amount_minor is null
        or coalesce(h.open_chunks, 0) + (o.status is not null)::int <> 1
   )
   select f.organization_id, f.bulk_no, f.seq, b.bulk_reference, f.present, f.outcome, f.open_chunks
   from found f join bulk b using (organization_id, bulk_no)
   limit :row_limit`
)

const checkPlaces = check(selectLostTransfers, (row) => ({
  invariant: 'I5',
  subject: nameTransfer(row),
  details: listFaults({
    'an open chunk holds it, but there is no such transfer': !row.present,
    'it has no outcome and is in no open chunk: nobody will ever work on it':
      row.present && row.outcome === null && row.open_chunks === 0n,
    [`it is in ${row.open_chunks} open chunks`]: row.open_chunks > 1n,
    [`it is ${row.outcome} and still in an open chunk`]: row.outcome !== null && row.open_chunks > 0n
  })
}))

const selectWrongChunks = statement(
  'verify-chunks',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_id: 'uuid',
    currency: 'text',
    chunk_no: 'int4',
    status: 'text',
    open_minor: 'int8',
    found_minor: 'int8',
    seq_count: 'int4',
    found_count: 'int8'
  },
  `with content as (
     select c.organization_id, c.bulk_no, c.chunk_no, count(t.amount_minor) as found_count,
            coalesce(sum(t.amount_minor), 0)::int8 as found_minor
     from chunk c
     left join unnest(c.seqs) as s (seq) on true
     left join transfer t on (t.organization_id, t.bulk_no, t.seq) = (c.organization_id, c.bulk_no, s.seq)
     group by 1, 2, 3
   ), found as materialized (
     select organization_id, bulk_no, chunk_no, c.status, c.open_minor, t.found_minor,
            cardinality(c.seqs) as seq_count, t.found_count
     from chunk c join content t using (organization_id, bulk_no, chunk_no)
     where t.found_minor <> c.open_minor or t.found_count <> cardinality(c.seqs)
        or c.status not in ('PENDING', 'PROCESSING', 'SENT', 'UNKNOWN')
   )
   select organization_id, b.request_id as bulk_id, b.currency, f.chunk_no, f.status::text, f.open_minor, f.found_minor,
          f.seq_count, f.found_count
   from found f join bulk b using (organization_id, bulk_no)
   limit :row_limit`
)

const checkChunks = check(selectWrongChunks, (row) => {
  const content = listFaults({
    [`it is of ${describeAmount(row.open_minor, row.currency)}, its transfers add up to ${describeAmount(row.found_minor, row.currency)}`]:
      row.open_minor !== row.found_minor,
    [`it holds ${row.seq_count} transfers, ${row.found_count} are there`]:
      BigInt(row.seq_count) !== row.found_count
  })
  return {
    invariant: content === '' ? 'I7' : 'I5',
    subject: `chunk ${row.chunk_no} of ${nameBulk(row)}`,
    details: content === '' ? `a chunk can't be ${row.status}` : content
  }
})

const selectOrphans = statement(
  'verify-orphans',
  { row_limit: 'int4' },
  { organization_id: 'int4', bulk_no: 'int8', what: 'text', row_count: 'int8' },
  `with part as (
     select organization_id, bulk_no, 'transfer' as what, count(*) as row_count from transfer group by 1, 2
     union all
     select organization_id, bulk_no, 'outcome', count(*) from outcome group by 1, 2
     union all
     select organization_id, bulk_no, 'attempt', count(*) from attempt group by 1, 2
     union all
     select organization_id, bulk_no, 'chunk', count(*) from chunk group by 1, 2
     union all
     select organization_id, bulk_no, 'posting', count(*) from posting where bulk_no is not null group by 1, 2
     union all
     select organization_id, bulk_no, 'transfer_return', count(*) from transfer_return group by 1, 2
     union all
     select organization_id, bulk_no, 'transfer_retry', count(*) from transfer_retry group by 1, 2
     union all
     select organization_id, child_bulk_no, 'transfer_retry', count(*) from transfer_retry group by 1, 2
     union all
     select organization_id, bulk_no, 'notice', count(*) from notice group by 1, 2
     union all
     select organization_id, bulk_no, 'statement_entry', count(*) from statement_entry group by 1, 2
   ), found as materialized (
     select p.* from part p
     where not exists (
       select from bulk b where (b.organization_id, b.bulk_no) = (p.organization_id, p.bulk_no)
     )
   )
   select organization_id, bulk_no, what, row_count from found order by 1, 2, 3 limit :row_limit`
)

const checkOrphans = check(selectOrphans, (row) => ({
  invariant: 'I5',
  subject: `bulk number ${row.bulk_no} of organization ${row.organization_id}`,
  details: `it does not exist, but has rows of ${row.what}: ${row.row_count}`
}))

const selectStrayAttempts = statement(
  'verify-attempts',
  { row_limit: 'int4' },
  { organization_id: 'int4', bulk_no: 'int8', seq: 'int2', bulk_reference: 'text' },
  `select organization_id, bulk_no, seq, b.bulk_reference
   from (select distinct organization_id, bulk_no, seq from attempt) a
   join bulk b using (organization_id, bulk_no)
   left join transfer t using (organization_id, bulk_no, seq)
   where t.amount_minor is null
   order by 1, 2, 3 limit :row_limit`
)

const checkAttempts = check(selectStrayAttempts, (row) => ({
  invariant: 'I5',
  subject: nameTransfer(row),
  details: 'an attempt was recorded of it, but there is no such transfer'
}))

/** I5: nothing of a bulk is missing, doubled or left over. */
export const wholenessChecks: Record<string, Check> = {
  'contents of bulks': checkContents,
  'place of every transfer': checkPlaces,
  'contents of chunks': checkChunks,
  'rows without a bulk': checkOrphans,
  'attempts without a transfer': checkAttempts
}
