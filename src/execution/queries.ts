import { statement } from '../database/statement.ts'

/**
 * Claims up to chunk_limit due chunks of the bulk that has waited longest, with a lease and a new epoch. A chunk
 * whose lease has run out is due again, so a dead worker's chunks are taken over by the same statement. Locks the
 * chunks (skipping those that others hold), then the bulk: the order of every statement that works on a bulk is
 * chunk, bulk, account. One bulk a claim, so that a transaction stays within one organization and two claims never
 * hold two bulks in opposite orders.
 *
 * The transfers of a chunk come as one JSON value (amounts as text, so that they stay exact), so that the driver parses
 * one value a chunk and not seventeen a transfer.
 */
export const claimChunks = statement(
  'claim-chunks',
  { worker: 'text', lease_ms: 'int4', chunk_limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_no: 'int8',
    chunk_no: 'int4',
    epoch: 'int4',
    attempts: 'int4',
    status: 'text',
    bulk_reference: 'text',
    currency: 'text',
    debtor_iban: 'text',
    on_failure: 'text',
    stopped: 'bool',
    transfers: 'json'
  },
  `with head as (
     select organization_id, bulk_no from chunk
     where due_at <= now() order by due_at limit 1 for update skip locked
   ), due as (
     select c.organization_id, c.bulk_no, c.chunk_no
     from chunk c join head using (organization_id, bulk_no)
     where c.due_at <= now() order by c.due_at, c.chunk_no limit :chunk_limit for update of c skip locked
   ), claimed as (
     update chunk c
     set status = case c.status when 'PENDING' then 'PROCESSING' else c.status end,
         epoch = c.epoch + 1, attempts = c.attempts + 1, worker = :worker,
         due_at = now() + :lease_ms * interval '1 millisecond'
     from due where (c.organization_id, c.bulk_no, c.chunk_no) = (due.organization_id, due.bulk_no, due.chunk_no)
     returning c.organization_id, c.bulk_no, c.chunk_no, c.epoch, c.attempts, c.status, c.seqs
   ), started as (
     update bulk b set status = 'PROCESSING', version = b.version + 1
     from (select distinct organization_id, bulk_no from claimed) c
     where (b.organization_id, b.bulk_no) = (c.organization_id, c.bulk_no)
     returning b.organization_id, b.bulk_no, b.account_id, b.bulk_reference, b.currency,
               b.on_failure, b.on_failure = 'stop' and b.failed_count > 0 as stopped
   ), payer as materialized (
     select s.*, a.iban as debtor_iban from started s join account a using (organization_id, account_id)
   )
   select c.organization_id, c.bulk_no, c.chunk_no, c.epoch, c.attempts, c.status::text, s.bulk_reference, s.currency,
          s.debtor_iban, s.on_failure::text, s.stopped, t.transfers
   from claimed c
   join payer s using (organization_id, bulk_no)
   cross join lateral (
     select json_agg(json_build_array(t.seq, t.amount_minor::text, t.counterparty_name, t.counterparty_bic,
                                      t.counterparty_iban, t.description) order by t.seq) as transfers
     from transfer t
     where (t.organization_id, t.bulk_no) = (c.organization_id, c.bulk_no) and t.seq = any (c.seqs)
   ) t
   order by c.chunk_no`
)

/**
 * Records what the bank said of every transfer of the held chunks, all at once. The fence: a chunk counts only if
 * the caller's epoch is still its epoch; others change nothing, and are missing from the answer. Exactly once: only
 * outcome rows that were really inserted move money, one double entry each. What did not end goes on in new chunks,
 * one for each old chunk, status and due time, so that chunks never grow. The bulk becomes final in the same
 * transaction as its last transfer. Locks chunk, bulk, account, in that order.
 */
export const recordResults = statement(
  'record-results',
  {
    organization_id: 'int4',
    bulk_no: 'int8',
    chunk_nos: 'int4[]',
    epochs: 'int4[]',
    seqs: 'int2[]',
    statuses: 'text[]',
    reason_codes: 'text[]',
    reasons: 'text[]',
    due_in_ms: 'int4[]'
  },
  { chunk_no: 'int4', bulk_status: 'text' },
  `with held as (
     select c.chunk_no, c.seqs, c.attempts
     from chunk c
     join unnest(:chunk_nos, :epochs) as h (chunk_no, epoch) using (chunk_no, epoch)
     where c.organization_id = :organization_id and c.bulk_no = :bulk_no and c.due_at is not null
       and c.seqs <@ :seqs
     order by c.chunk_no for update of c
   ), result as materialized (
     select h.chunk_no, h.attempts, r.seq, r.status::transfer_status as status, r.reason_code, r.reason, r.due_in_ms,
            t.amount_minor
     from held h
     cross join lateral (
       select seq, amount_minor from transfer t
       where (t.organization_id, t.bulk_no) = (:organization_id, :bulk_no) and t.seq = any (h.seqs)
     ) t
     join unnest(:seqs, :statuses, :reason_codes, :reasons, :due_in_ms)
       as r (seq, status, reason_code, reason, due_in_ms) using (seq)
   ), ended as (
     insert into outcome (organization_id, bulk_no, seq, amount_minor, status, reason_code, reason)
     select :organization_id, :bulk_no, seq, amount_minor, status, reason_code, reason
     from result where status in ('EXECUTED', 'FAILED', 'CANCELLED')
     order by seq
     on conflict do nothing
     returning seq, amount_minor, status
   ), moved as (
     select status, due_in_ms, array_agg(seq order by seq) as seqs, sum(amount_minor) as open_minor,
            -- What was only put back was not tried.
            max(attempts - (reason is null)::int) as attempts, row_number() over (order by chunk_no, status, due_in_ms) as nr
     from result where status in ('PENDING', 'SENT', 'UNKNOWN')
     group by chunk_no, status, due_in_ms
   ), total as (
     select count(*) filter (where status = 'EXECUTED') as executed_count,
            count(*) filter (where status = 'FAILED') as failed_count,
            count(*) filter (where status = 'CANCELLED') as cancelled_count,
            coalesce(sum(amount_minor) filter (where status = 'EXECUTED'), 0) as executed_minor,
            coalesce(sum(amount_minor) filter (where status = 'FAILED'), 0) as failed_minor,
            coalesce(sum(amount_minor) filter (where status = 'CANCELLED'), 0) as cancelled_minor,
            coalesce(sum(amount_minor), 0) as ended_minor,
            (select count(*) from moved) as moved_count
     from ended
   ), closed as (
     update chunk c set due_at = null, worker = null
     from held h where (c.organization_id, c.bulk_no, c.chunk_no) = (:organization_id, :bulk_no, h.chunk_no)
   ), told as (
     update bulk b set
       executed_count = b.executed_count + t.executed_count, executed_minor = b.executed_minor + t.executed_minor,
       failed_count = b.failed_count + t.failed_count, failed_minor = b.failed_minor + t.failed_minor,
       cancelled_count = b.cancelled_count + t.cancelled_count, cancelled_minor = b.cancelled_minor + t.cancelled_minor,
       chunk_count = b.chunk_count + t.moved_count,
       version = b.version + 1,
       status = case when b.executed_count + b.failed_count + b.cancelled_count
                          + t.executed_count + t.failed_count + t.cancelled_count = b.transfer_count
         then final_bulk_status(b.transfer_count, (b.executed_count + t.executed_count)::int4, (b.failed_count + t.failed_count)::int4)
         else b.status end,
       completed_at = case when b.executed_count + b.failed_count + b.cancelled_count
                                + t.executed_count + t.failed_count + t.cancelled_count = b.transfer_count
         then now() end
     from total t
     where (b.organization_id, b.bulk_no) = (:organization_id, :bulk_no) and exists (select from held)
     returning b.account_id, b.currency, b.status, b.chunk_count - t.moved_count as next_chunk_no
   ), debited as (
     update account a set
       balance_minor = a.balance_minor - t.executed_minor,
       reserved_minor = a.reserved_minor - t.ended_minor,
       posting_count = a.posting_count + t.executed_count
     from told, total t
     where (a.organization_id, a.account_id) = (:organization_id, told.account_id) and t.ended_minor > 0
     returning a.account_id, a.posting_count - t.executed_count as last_line_no
   ), posted as (
     insert into posting (organization_id, account_id, line_no, counter_account_id, amount_minor, kind, bulk_no, seq)
     select :organization_id, d.account_id, d.last_line_no + row_number() over (order by e.seq),
            -- Null, and so refused, if there is no clearing account: money is never debited without its other side.
            (select account_id from account clearing
             where clearing.organization_id = :organization_id and clearing.kind = 'CLEARING'
               and clearing.currency = (select currency from told)),
            -e.amount_minor, 'TRANSFER', :bulk_no, e.seq
     from debited d
     cross join ended e
     where e.status = 'EXECUTED'
   ), continued as (
     insert into chunk (organization_id, bulk_no, chunk_no, due_at, status, attempts, seqs, open_minor)
     select :organization_id, :bulk_no, told.next_chunk_no + m.nr - 1,
            now() + m.due_in_ms * interval '1 millisecond', m.status, m.attempts, m.seqs, m.open_minor
     from moved m, told
   ), tried as (
     insert into attempt (organization_id, bulk_no, seq, attempt_no, status, reason)
     select :organization_id, :bulk_no, seq, attempts, status, reason
     from result where status in ('PENDING', 'SENT', 'UNKNOWN') and reason is not null
   )
   select h.chunk_no, told.status::text as bulk_status from held h cross join told`
)

/** Extends the lease of chunks that a live worker still holds; one whose epoch has moved on is left alone. */
export const renewLeases = statement(
  'renew-leases',
  { organization_id: 'int4', bulk_no: 'int8', chunk_nos: 'int4[]', epochs: 'int4[]', lease_ms: 'int4' },
  { chunk_no: 'int4' },
  `with held as (
     select c.organization_id, c.bulk_no, c.chunk_no
     from chunk c
     join unnest(:chunk_nos, :epochs) as h (chunk_no, epoch) using (chunk_no, epoch)
     where c.organization_id = :organization_id and c.bulk_no = :bulk_no and c.due_at is not null
     order by c.chunk_no for update of c
   )
   update chunk c set due_at = now() + :lease_ms * interval '1 millisecond'
   from held h where (c.organization_id, c.bulk_no, c.chunk_no) = (h.organization_id, h.bulk_no, h.chunk_no)
   returning c.chunk_no`
)
