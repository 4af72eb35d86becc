import { statement } from '../database/statement.ts'

/**
 * Keeps what was said of transfers, each saying once, if it fits the transfer: its currency and payee, and its amount,
 * of which a return may be a part. Tells of each one whether there is such a transfer, and whether it fits.
 */
export const insertNotices = statement(
  'insert-notices',
  {
    source: 'text',
    notice_ids: 'text[]',
    bulk_references: 'text[]',
    seqs: 'int2[]',
    statuses: 'text[]',
    amounts_minor: 'int8[]',
    currencies: 'text[]',
    ibans: 'text[]',
    reason_codes: 'text[]',
    reasons: 'text[]'
  },
  { nr: 'int8', organization_id: 'int4?', bulk_no: 'int8?', seq: 'int2', outcome: 'text?', fits: 'bool' },
  `with said as materialized (
     select n.nr, n.notice_id, n.status, n.amount_minor, n.reason_code, n.reason, n.seq,
            t.organization_id, t.bulk_no, o.status as outcome,
            coalesce(t.counterparty_iban = n.iban and b.currency = n.currency
              and case n.status when 'RETURNED' then n.amount_minor between 1 and t.amount_minor
                                else n.amount_minor = t.amount_minor end, false) as fits
     from unnest(:notice_ids, :bulk_references, :seqs, :statuses, :amounts_minor, :currencies, :ibans, :reason_codes,
                 :reasons) with ordinality
       as n (notice_id, bulk_reference, seq, status, amount_minor, currency, iban, reason_code, reason, nr)
     left join bulk b using (bulk_reference)
     left join transfer t on (t.organization_id, t.bulk_no, t.seq) = (b.organization_id, b.bulk_no, n.seq)
     left join outcome o on (o.organization_id, o.bulk_no, o.seq) = (b.organization_id, b.bulk_no, n.seq)
   ), kept as (
     insert into notice (organization_id, bulk_no, seq, source, notice_id, status, amount_minor, reason_code, reason)
     select organization_id, bulk_no, seq, :source, notice_id, status::transfer_status, amount_minor, reason_code, reason
     from said where fits
     order by organization_id, bulk_no, seq, notice_id
     on conflict do nothing
   )
   select nr, organization_id, bulk_no, seq, outcome::text, fits from said order by nr`
)

/** What was said of the transfers of a claim and is not settled yet: results only, returns come after them. */
export const selectResultNotices = statement(
  'select-result-notices',
  { organization_id: 'int4', bulk_no: 'int8', seqs: 'int2[]' },
  { seq: 'int2', source: 'text', status: 'text', reason_code: 'text?', reason: 'text?' },
  `select seq, source, status::text, reason_code, reason from notice
   where organization_id = :organization_id and bulk_no = :bulk_no and seq = any (:seqs) and due_at is not null
     and status in ('EXECUTED', 'FAILED')
   order by seq, received_at, source, notice_id`
)

/**
 * Takes notices that are to be looked at, for a second: who dies over them leaves them to the next. One that waits for
 * its transfer to end (a return that came first, two that contradict each other) is looked at ever less often, since
 * each look makes the bank be asked: once a second, for as long as the bank was silent, buried it.
 */
export const takeDueNotices = statement(
  'take-due-notices',
  { limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_no: 'int8',
    seq: 'int2',
    source: 'text',
    notice_id: 'text',
    status: 'text',
    amount_minor: 'int8',
    reason_code: 'text?',
    reason: 'text?',
    bulk_reference: 'text',
    outcome: 'text?',
    returned_minor: 'int8?'
  },
  `with due as (
     select organization_id, bulk_no, seq, source, notice_id from notice
     where due_at <= now() order by due_at limit :limit for update skip locked
   ), taken as (
     update notice n
     set due_at = now() + greatest(interval '1 second', least(now() - n.received_at, interval '5 minutes'))
     from due
     where (n.organization_id, n.bulk_no, n.seq, n.source, n.notice_id)
           = (due.organization_id, due.bulk_no, due.seq, due.source, due.notice_id)
     returning n.*
   )
   select organization_id, bulk_no, seq, source, notice_id, n.status::text, n.amount_minor, n.reason_code, n.reason,
          b.bulk_reference, o.status::text as outcome, r.amount_minor as returned_minor
   from taken n
   join bulk b using (organization_id, bulk_no)
   left join outcome o using (organization_id, bulk_no, seq)
   left join transfer_return r using (organization_id, bulk_no, seq)
   order by n.received_at, organization_id, bulk_no, seq, source, notice_id`
)

/** Ends notices: what they say has been done, or found to contradict what was. */
export const settleNoticeRows = statement(
  'settle-notices',
  { organization_ids: 'int4[]', bulk_nos: 'int8[]', seqs: 'int2[]', sources: 'text[]', notice_ids: 'text[]' },
  { seq: 'int2' },
  `with settled as (
     select n.organization_id, n.bulk_no, n.seq, n.source, n.notice_id
     from notice n
     join unnest(:organization_ids, :bulk_nos, :seqs, :sources, :notice_ids)
       as s (organization_id, bulk_no, seq, source, notice_id)
       using (organization_id, bulk_no, seq, source, notice_id)
     where n.due_at is not null
     order by 1, 2, 3, 4, 5 for update of n
   )
   update notice n set due_at = null
   from settled s
   where (n.organization_id, n.bulk_no, n.seq, n.source, n.notice_id)
         = (s.organization_id, s.bulk_no, s.seq, s.source, s.notice_id)
   returning n.seq`
)

/** Makes the open transfers of notices due, unless a worker has them: it asks, and finds the notice. */
export const hurryTransfers = statement(
  'hurry-transfers',
  { organization_ids: 'int4[]', bulk_nos: 'int8[]', seqs: 'int2[]' },
  { chunk_no: 'int4' },
  `with told as (
     select c.organization_id, c.bulk_no, c.chunk_no
     from (select distinct * from unnest(:organization_ids, :bulk_nos, :seqs) as n (organization_id, bulk_no, seq)) n
     join chunk c using (organization_id, bulk_no)
     where n.seq = any (c.seqs) and c.due_at > now() and c.worker is null and c.status in ('SENT', 'UNKNOWN')
     order by 1, 2, 3 for update of c skip locked
   )
   update chunk c set due_at = now()
   from told where (c.organization_id, c.bulk_no, c.chunk_no) = (told.organization_id, told.bulk_no, told.chunk_no)
   returning c.chunk_no`
)

/** An operator's word, if the transfer is open and may have been sent; one a transfer. */
export const insertResolution = statement(
  'insert-resolution',
  {
    bulk_reference: 'text',
    seq: 'int2',
    transfer_id: 'text',
    status: 'text',
    reason_code: 'text?',
    operator: 'text',
    evidence: 'text'
  },
  { organization_id: 'int4', bulk_no: 'int8' },
  `with open as (
     select b.organization_id, b.bulk_no, b.request_id, t.seq, t.amount_minor, c.status
     from bulk b
     join transfer t using (organization_id, bulk_no)
     join chunk c using (organization_id, bulk_no)
     where b.bulk_reference = :bulk_reference and t.seq = :seq
       and c.due_at is not null and t.seq = any (c.seqs) and c.status in ('SENT', 'UNKNOWN')
   ), told as (
   insert into notice (organization_id, bulk_no, seq, source, notice_id, status, amount_minor, reason_code, reason,
                       operator, evidence)
   select organization_id, bulk_no, seq, 'operator', 'resolution', :status::transfer_status, amount_minor,
          :reason_code, 'resolved by an operator', :operator, :evidence
   from open
   on conflict do nothing
   returning organization_id, bulk_no, seq
   ), recorded as (
     insert into event (organization_id, type, actor, data)
     select organization_id, 'transfer.resolved', 'operator:' || :operator,
            jsonb_build_object('transfer_id', :transfer_id, 'bulk_id', request_id,
                               'before', jsonb_build_object('status', open.status),
                               'after', jsonb_build_object('status', :status, 'reason_code', :reason_code))
     from told join open using (organization_id, bulk_no, seq)
   )
   select organization_id, bulk_no from told`
)
