import { statement } from '../database/statement.ts'
import { unlessTold } from '../events/event-types.ts'
import { isHeld } from './hold.ts'
import { announce } from './settlement-events.ts'

/** Whether a chunk may be claimed: nothing of it that was not sent is held, nor another of its bulk out alone. */
const free = `not (c.status = 'PENDING' and ${isHeld}) and not (c.exclusive and c.worker is null and exists (
           select from chunk out
           where (out.organization_id, out.bulk_no) = (c.organization_id, c.bulk_no)
             and out.exclusive and out.worker is not null))`

/**
 * Claims up to chunk_limit due chunks of one bulk, with a lease and a new epoch. A chunk whose lease has run out is
 * due again, so a dead worker's chunks are taken over by the same statement.
 *
 * Organizations take turns: the next one after `after` in a circle that has work that is due, and within it the bulk
 * that has waited longest, in the order of its list. Only so many are looked through a claim (a look costs some 10 us, and
 * a thousand may have nothing but payments that the bank has taken); then what has waited longest of all comes first,
 * and `turn_end` is where the next claim goes on looking. Of exclusive chunks (on_failure stop) one a bulk is out at a
 * time; two claims of one bulk at once both see none out, and the second ends with the unique violation chunk_exclusive.
 *
 * Locks the chunks (skipping those that others hold), then the bulk: the order of every statement that works on a bulk
 * is chunk, bulk, account. One bulk a claim, so that a transaction stays within one organization and two claims never
 * hold two bulks in opposite orders.
 *
 * The transfers of a chunk come as one JSON value (amounts as text, so that they stay exact), so that the driver parses
 * one value a chunk and not seventeen a transfer.
 */
export const claimChunks = statement(
  'claim-chunks',
  { after: 'int4', worker: 'text', lease_ms: 'int4', chunk_limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_no: 'int8',
    chunk_no: 'int4',
    epoch: 'int4',
    attempts: 'int4',
    status: 'text',
    turn_end: 'int4',
    since_ms: 'int8',
    bulk_reference: 'text',
    currency: 'text',
    debtor_iban: 'text',
    on_failure: 'text',
    stopped_ms: 'int8?',
    held: 'bool',
    trace_id: 'text?',
    transfers: 'json'
  },
  `with recursive turn (organization_id, due_at, lap, looks) as (
     select :after, null::timestamptz, 0, 0
     union all
     select coalesce(next.organization_id, 0), next.due_at, lap + (next.organization_id is null)::int, looks + 1
     from turn left join lateral (
       select c.organization_id, c.due_at from chunk c
       where c.due_at is not null and c.organization_id > turn.organization_id
       order by c.organization_id, c.due_at limit 1
     ) next on true
     where looks < 32 and (lap = 0 or (lap = 1 and turn.organization_id < :after))
   ), head as (
     select * from (
       select work.*, turn.organization_id as turn_end from turn cross join lateral (
         select c.organization_id, c.bulk_no, c.chunk_no, c.exclusive from chunk c
         where c.organization_id = turn.organization_id and c.due_at <= now() and ${free}
         order by c.due_at, c.chunk_no limit 1 for update skip locked
       ) work
       where turn.due_at <= now()
       union all
       select oldest.*, (select organization_id from turn order by looks desc limit 1) from (
         select c.organization_id, c.bulk_no, c.chunk_no, c.exclusive from chunk c
         where c.due_at <= now() and ${free}
         order by c.due_at, c.chunk_no limit 1 for update skip locked
       ) oldest
     ) work limit 1
   ), due as (
     select c.organization_id, c.bulk_no, c.chunk_no
     from chunk c join head using (organization_id, bulk_no)
     where c.due_at <= now() and (not head.exclusive or c.chunk_no = head.chunk_no)
       and not (c.status = 'PENDING' and ${isHeld})
     order by c.due_at, c.chunk_no limit :chunk_limit for update of c skip locked
   ), claimed as (
     update chunk c
     set status = case c.status when 'PENDING' then 'PROCESSING' else c.status end,
         epoch = c.epoch + 1, attempts = c.attempts + 1, worker = :worker,
         due_at = now() + :lease_ms * interval '1 millisecond'
     from due where (c.organization_id, c.bulk_no, c.chunk_no) = (due.organization_id, due.bulk_no, due.chunk_no)
     returning c.organization_id, c.bulk_no, c.chunk_no, c.epoch, c.attempts, c.status, c.since, c.seqs
   ), started as (
     update bulk b set status = 'PROCESSING', version = b.version + 1
     from (select distinct organization_id, bulk_no from claimed) c
     where (b.organization_id, b.bulk_no) = (c.organization_id, c.bulk_no)
     returning b.organization_id, b.bulk_no, b.account_id, b.bulk_reference, b.currency,
               b.on_failure, (extract(epoch from now() - b.stopped_at) * 1000)::int8 as stopped_ms, b as bulk
   ), begun as (
     insert into event (organization_id, bulk_no, version, type, actor, trace_id, data)
     select organization_id, bulk_no, (s.bulk).version, 'bulk.processing', 'bulkhead', (s.bulk).trace_id, bulk_facts(s.bulk)
     from started s join bulk was using (organization_id, bulk_no)
     where was.status in ('PENDING', 'SCHEDULED')
     -- Two first claims at once both see it waiting; the bulk's lock and this key leave one of them to tell.
     ${unlessTold}
   ), payer as materialized (
     select s.*, a.iban as debtor_iban from started s join account a using (organization_id, account_id)
   )
   select c.organization_id, c.bulk_no, c.chunk_no, c.epoch, c.attempts, c.status::text,
          (select turn_end from head) as turn_end,
          (extract(epoch from now() - c.since) * 1000)::int8 as since_ms, s.bulk_reference, s.currency,
          s.debtor_iban, s.on_failure::text, s.stopped_ms, ${isHeld} as held, (s.bulk).trace_id, t.transfers
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
 * What happens to a bulk when some of its transfers end: the rest of a statement that begins with `held` (the chunks
 * that are locked and closed by it) and `result` (what becomes of each of their transfers). Exactly once: an end is
 * inserted, and moves its money by one double entry, or the key refuses it and nothing is recorded. (A conflict clause
 * would write each row twice: of recording 200 ends that was a third.) What did not end goes on in new chunks, one for
 * each old chunk, status, time of it and due time, so that chunks never grow; but a chunk of which nothing changed
 * stays as it is, so that asking a silent bank for days leaves no trail. The bulk becomes final in the same
 * transaction as its last transfer. Locks chunk, bulk, account, in that order.
 */
const settle = `ended as (
     insert into outcome (organization_id, bulk_no, seq, amount_minor, status, reason_code, reason)
     select organization_id, bulk_no, seq, amount_minor, status, reason_code, reason
     from result where status in ('EXECUTED', 'FAILED', 'CANCELLED')
     order by seq
     returning seq, amount_minor, status, reason_code
   ), going_on as (
     select chunk_no, status, due_in_ms, array_agg(seq order by seq) as seqs, sum(amount_minor) as open_minor,
            case when goes_on then since else now() end as since,
            -- What was only put back was not tried.
            max(attempts - (reason is null)::int) as attempts,
            goes_on and count(*) = max(chunk_size) as unchanged
     from (
       -- What is UNKNOWN when its bulk stops is so anew: until then it may have been sent again.
       select *, status = was and (status <> 'UNKNOWN' or since > coalesce(
                (select b.stopped_at from bulk b join stop using (organization_id, bulk_no)), '-infinity')) as goes_on
       from result where status in ('PENDING', 'SENT', 'UNKNOWN')
     ) still_open
     group by chunk_no, status, goes_on, since, due_in_ms
   ), moved as (
     select *, row_number() over (order by chunk_no, status, due_in_ms) as nr from going_on where not unchanged
   ), total as (
     select count(*) filter (where status = 'EXECUTED') as executed_count,
            count(*) filter (where status = 'FAILED') as failed_count,
            count(*) filter (where status = 'CANCELLED') as cancelled_count,
            coalesce(sum(amount_minor) filter (where status = 'EXECUTED'), 0) as executed_minor,
            coalesce(sum(amount_minor) filter (where status = 'FAILED'), 0) as failed_minor,
            coalesce(sum(amount_minor) filter (where status = 'CANCELLED'), 0) as cancelled_minor,
            coalesce(sum(amount_minor), 0) as ended_minor, count(*) as ended_count,
            (select count(*) from moved) as moved_count
     from ended
   ), let_go as (
     update chunk c set worker = null, attempts = coalesce(g.attempts, c.attempts),
       due_at = now() + g.due_in_ms * interval '1 millisecond'
     from held h left join going_on g on g.chunk_no = h.chunk_no and g.unchanged
     where (c.organization_id, c.bulk_no, c.chunk_no) = (h.organization_id, h.bulk_no, h.chunk_no)
   ), told as (
     update bulk b set
       executed_count = b.executed_count + t.executed_count, executed_minor = b.executed_minor + t.executed_minor,
       failed_count = b.failed_count + t.failed_count, failed_minor = b.failed_minor + t.failed_minor,
       cancelled_count = b.cancelled_count + t.cancelled_count, cancelled_minor = b.cancelled_minor + t.cancelled_minor,
       chunk_count = b.chunk_count + t.moved_count,
       version = b.version + 1,
       stopped_at = coalesce(b.stopped_at, case when stop.by_wish or (b.on_failure = 'stop' and t.failed_count > 0)
                              -- The clock under the lock: later than every claim that did not see it.
                              then clock_timestamp() end),
       status = case when b.executed_count + b.failed_count + b.cancelled_count
                          + t.executed_count + t.failed_count + t.cancelled_count = b.transfer_count
         then final_bulk_status(b.transfer_count, (b.executed_count + t.executed_count)::int4, (b.failed_count + t.failed_count)::int4)
         else b.status end,
       completed_at = case when b.executed_count + b.failed_count + b.cancelled_count
                                + t.executed_count + t.failed_count + t.cancelled_count = b.transfer_count
         then now() end
     from total t, stop
     where (b.organization_id, b.bulk_no) = (stop.organization_id, stop.bulk_no) and b.completed_at is null
     returning b.organization_id, b.bulk_no, b.account_id, b.currency, b.status, b.on_failure, b.stopped_at,
               extract(epoch from b.completed_at - b.accepted_at)::float8 as took_s,
               b.chunk_count - t.moved_count as next_chunk_no, t.cancelled_count, t.cancelled_minor,
               t.ended_count, stop.actor, coalesce(stop.trace_id, b.trace_id) as trace_id, b as bulk
   ), ${announce}, debited as (
     update account a set
       balance_minor = a.balance_minor - t.executed_minor,
       reserved_minor = a.reserved_minor - t.ended_minor,
       posting_count = a.posting_count + t.executed_count
     from told, total t
     where (a.organization_id, a.account_id) = (told.organization_id, told.account_id) and t.ended_minor > 0
     returning a.account_id, a.posting_count - t.executed_count as last_line_no
   ), posted as (
     insert into posting (organization_id, account_id, line_no, counter_account_id, amount_minor, kind, bulk_no, seq)
     select told.organization_id, d.account_id, d.last_line_no + row_number() over (order by e.seq),
            -- Null, and so refused, if there is no clearing account: money is never debited without its other side.
            (select clearing.account_id from account clearing join told using (organization_id, currency)
             where clearing.kind = 'CLEARING'),
            -e.amount_minor, 'TRANSFER', told.bulk_no, e.seq
     from told, debited d, ended e
     where e.status = 'EXECUTED'
   ), continued as (
     insert into chunk (organization_id, bulk_no, chunk_no, due_at, since, status, attempts, seqs, open_minor, exclusive)
     select told.organization_id, told.bulk_no, told.next_chunk_no + m.nr - 1,
            now() + m.due_in_ms * interval '1 millisecond', m.since, m.status, m.attempts, m.seqs, m.open_minor,
            told.on_failure = 'stop'
     from moved m, told
   )`

/**
 * Records what the bank said of every transfer of the held chunks, all at once. The fence: a chunk counts only if
 * it is claimed and the caller's epoch is still its epoch; others change nothing, and are missing from the answer. A
 * failure in a bulk of on_failure stop stops it: whoever claims what is left of it learns that. Of answers that end
 * nothing the first twenty are kept, then the 32nd, 64th ...: a bank may stay silent for as long as it likes.
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
  { chunk_no: 'int4', bulk_status: 'text', stopped: 'bool', took_s: 'float8?' },
  `with held as (
     select c.organization_id, c.bulk_no, c.chunk_no, c.seqs, c.attempts, c.status, c.since
     from chunk c
     join unnest(:chunk_nos, :epochs) as h (chunk_no, epoch) using (chunk_no, epoch)
     where c.organization_id = :organization_id and c.bulk_no = :bulk_no and c.worker is not null
       and c.seqs <@ :seqs
     order by c.chunk_no for update of c
   ), stop as (
     select organization_id, bulk_no, false as by_wish, 'bulkhead' as actor, null as trace_id from held limit 1
   ), result as materialized (
     select h.organization_id, h.bulk_no, h.chunk_no, h.attempts, h.status as was, h.since,
            cardinality(h.seqs) as chunk_size, r.seq, r.status::transfer_status as status, r.reason_code, r.reason,
            r.due_in_ms, t.amount_minor
     from held h
     cross join lateral (
       select seq, amount_minor from transfer t
       where (t.organization_id, t.bulk_no) = (:organization_id, :bulk_no) and t.seq = any (h.seqs)
     ) t
     join unnest(:seqs, :statuses, :reason_codes, :reasons, :due_in_ms)
       as r (seq, status, reason_code, reason, due_in_ms) using (seq)
   ), ${settle}, tried as (
     insert into attempt (organization_id, bulk_no, seq, attempt_no, status, reason)
     select organization_id, bulk_no, seq, attempts, status, reason
     from result
     where status in ('PENDING', 'SENT', 'UNKNOWN') and reason is not null
       and (attempts <= 20 or attempts & (attempts - 1) = 0)
   )
   select h.chunk_no, told.status::text as bulk_status, told.stopped_at is not null as stopped, told.took_s
   from held h cross join told`
)

/**
 * Stops a bulk and cancels whatever of it is PENDING, which is what surely was not sent: a chunk that a worker claims
 * at the same moment is either cancelled here or PROCESSING there, never both. What is put back to PENDING later is
 * cancelled by whoever claims it. No row if the bulk does not exist or is final.
 */
export const stopBulk = statement(
  'stop-bulk',
  {
    organization_id: 'int4',
    bulk_no: 'int8',
    by_wish: 'bool',
    reason: 'text',
    actor: 'text',
    trace_id: 'text?'
  },
  { status: 'text', cancelled_count: 'int8', cancelled_minor: 'int8', took_s: 'float8?' },
  `with held as (
     select c.organization_id, c.bulk_no, c.chunk_no, c.seqs, c.attempts, c.status, c.since
     from chunk c
     where c.organization_id = :organization_id and c.bulk_no = :bulk_no and c.due_at is not null
       and c.status = 'PENDING'
     order by c.chunk_no for update of c
   ), stop as (
     select :organization_id as organization_id, :bulk_no as bulk_no, :by_wish as by_wish, :actor as actor,
            :trace_id as trace_id
   ), result as materialized (
     select h.organization_id, h.bulk_no, h.chunk_no, h.attempts, h.status as was, h.since,
            cardinality(h.seqs) as chunk_size, t.seq, 'CANCELLED'::transfer_status as status, null::text as reason_code,
            :reason as reason, 0 as due_in_ms, t.amount_minor
     from held h
     cross join lateral (
       select seq, amount_minor from transfer t
       where (t.organization_id, t.bulk_no) = (:organization_id, :bulk_no) and t.seq = any (h.seqs)
     ) t
   ), ${settle}
   select status::text, cancelled_count, cancelled_minor::int8, took_s from told`
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
     where c.organization_id = :organization_id and c.bulk_no = :bulk_no and c.worker is not null
     order by c.chunk_no for update of c
   )
   update chunk c set due_at = now() + :lease_ms * interval '1 millisecond'
   from held h where (c.organization_id, c.bulk_no, c.chunk_no) = (h.organization_id, h.bulk_no, h.chunk_no)
   returning c.chunk_no`
)
