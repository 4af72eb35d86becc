import { statement } from '../database/statement.ts'
import { isHeld } from '../execution/hold.ts'

/**
 * Keeps the lines of the bank's statement that belong to a transfer. Tells of each line which transfer it is, how that
 * ended, whether it agrees, and the line that was booked before for the same thing, if there is another. Without a
 * bulk_no there is no such transfer; the organization is then that of the bulk, if there is such a bulk.
 *
 * Looked up line by line: joined as a whole, a plan of when the tables were small read all of them for every page.
 */
export const insertEntries = statement(
  'insert-statement-entries',
  {
    entry_nos: 'int8[]',
    kinds: 'text[]',
    bulk_references: 'text[]',
    seqs: 'int2[]',
    amounts_minor: 'int8[]',
    currencies: 'text[]',
    ibans: 'text[]',
    booked_ats: 'text[]'
  },
  {
    entry_no: 'int8',
    organization_id: 'int4?',
    bulk_no: 'int8?',
    outcome: 'text?',
    returned_minor: 'int8?',
    agrees: 'bool',
    earlier_entry_no: 'int8?'
  },
  `with line as materialized (
     select l.*, b.organization_id, t.bulk_no, o.status as outcome, r.amount_minor as returned_minor,
            nullif(min(l.entry_no) over (partition by l.bulk_reference, l.seq, l.kind), l.entry_no) as twin_no,
            coalesce(t.counterparty_iban = l.iban and b.currency = l.currency
              and case l.kind when 'RETURN' then l.amount_minor between 1 and t.amount_minor
                              else l.amount_minor = t.amount_minor end, false) as agrees
     from unnest(:entry_nos, :kinds, :bulk_references, :seqs, :amounts_minor, :currencies, :ibans, :booked_ats)
       as l (entry_no, kind, bulk_reference, seq, amount_minor, currency, iban, booked_at)
     left join bulk b using (bulk_reference)
     left join lateral (
       select * from transfer t
       where (t.organization_id, t.bulk_no, t.seq) = (b.organization_id, b.bulk_no, l.seq) limit 1) t on true
     left join lateral (
       select * from outcome o
       where (o.organization_id, o.bulk_no, o.seq) = (b.organization_id, b.bulk_no, l.seq) limit 1) o on true
     left join lateral (
       select * from transfer_return r
       where (r.organization_id, r.bulk_no, r.seq) = (b.organization_id, b.bulk_no, l.seq) limit 1) r on true
   ), kept as (
     insert into statement_entry (organization_id, bulk_no, seq, kind, entry_no, amount_minor, booked_at)
     select organization_id, bulk_no, seq, kind, entry_no, amount_minor, booked_at::timestamptz
     from line where agrees
     order by organization_id, bulk_no, seq, kind, entry_no
     on conflict do nothing
   )
   select l.entry_no, l.organization_id, l.bulk_no, l.outcome::text, l.returned_minor, l.agrees,
          least(e.entry_no, l.twin_no) as earlier_entry_no
   from line l
   left join lateral (
     select * from statement_entry e
     where (e.organization_id, e.bulk_no, e.seq, e.kind) = (l.organization_id, l.bulk_no, l.seq, l.kind)
       and e.entry_no <> l.entry_no limit 1) e on true
   order by l.entry_no`
)

/** Transfers of bulks that became final in a span of time: EXECUTED here, and on no line of the statement. */
export const findMissing = statement(
  'find-missing-entries',
  { after: 'timestamptz', until: 'timestamptz', limit: 'int4' },
  { organization_id: 'int4', bulk_no: 'int8', seq: 'int2', bulk_reference: 'text' },
  `select b.organization_id, b.bulk_no, o.seq, b.bulk_reference
   from bulk b
   join outcome o using (organization_id, bulk_no)
   where b.completed_at > :after and b.completed_at <= :until and o.status = 'EXECUTED'
     and not exists (
       select from statement_entry e
       where (e.organization_id, e.bulk_no, e.seq, e.kind) = (o.organization_id, o.bulk_no, o.seq, 'DEBIT'))
   order by b.completed_at, o.seq limit :limit`
)

/** Returns that were booked in a span of time, and are on no line of the statement. */
export const findMissingReturns = statement(
  'find-missing-returns',
  { after: 'timestamptz', until: 'timestamptz', limit: 'int4' },
  { organization_id: 'int4', bulk_no: 'int8', seq: 'int2', bulk_reference: 'text' },
  `select r.organization_id, r.bulk_no, r.seq, b.bulk_reference
   from transfer_return r
   join bulk b using (organization_id, bulk_no)
   where r.recorded_at > :after and r.recorded_at <= :until
     and not exists (
       select from statement_entry e
       where (e.organization_id, e.bulk_no, e.seq, e.kind) = (r.organization_id, r.bulk_no, r.seq, 'RETURN'))
   order by r.recorded_at, r.seq limit :limit`
)

/** Ends the incidents of transfers that were missing and have come since. */
export const resolveFound = statement(
  'resolve-missing-entries',
  {},
  { incident_no: 'int8' },
  `update incident i set resolved_at = now()
   where i.kind = 'missing-at-bank' and i.resolved_at is null and exists (
     select from statement_entry e
     where (e.organization_id, e.bulk_no, e.seq, e.kind) = (i.organization_id, i.bulk_no, i.seq, case when i.subject like 'return %' then 'RETURN' else 'DEBIT' end))
   returning i.incident_no`
)

/**
 * Bulks with chunks that have been due for long while nothing goes on: no chunk has a worker whose lease holds, and no
 * bulk has become final in the meantime. Work may wait its turn behind other work; but not for ever. What is held waits
 * for a person.
 */
export const findOverdue = statement(
  'find-overdue-work',
  { overdue_ms: 'int4', longest_queue_ms: 'int4', limit: 'int4' },
  { organization_id: 'int4', bulk_no: 'int8', bulk_id: 'uuid', chunks: 'int8', due_at: 'timestamptz' },
  `select c.organization_id, c.bulk_no, b.request_id as bulk_id, count(*) as chunks, min(c.due_at) as due_at
   from chunk c join bulk b using (organization_id, bulk_no)
   where c.due_at < now() - :overdue_ms * interval '1 millisecond' and not (c.status = 'PENDING' and ${isHeld})
     and (c.due_at < now() - :longest_queue_ms * interval '1 millisecond'
       or not (exists (select from chunk where due_at > now() and worker is not null)
         or exists (select from bulk where completed_at > now() - :overdue_ms * interval '1 millisecond')))
   group by 1, 2, 3 order by 5 limit :limit`
)

/** Accounts whose reserve is not what their open chunks add up to, in one snapshot. */
export const findOrphanedReserves = statement(
  'find-orphaned-reserves',
  { limit: 'int4' },
  {
    organization_id: 'int4',
    account_id: 'int4',
    currency: 'text',
    reserved_minor: 'int8',
    open_minor: 'int8'
  },
  `with open as (
     select c.organization_id, b.account_id, sum(c.open_minor) as open_minor
     from chunk c join bulk b using (organization_id, bulk_no)
     where c.due_at is not null group by 1, 2
   )
   select organization_id, account_id, a.currency, a.reserved_minor, coalesce(o.open_minor, 0)::int8 as open_minor
   from account a left join open o using (organization_id, account_id)
   where a.reserved_minor <> coalesce(o.open_minor, 0)
   order by 1, 2 limit :limit`
)

/** Accounts that were empty when they were closed, and are not now: a payment came back. */
export const findMoneyOnClosed = statement(
  'find-money-on-closed-accounts',
  { limit: 'int4' },
  { organization_id: 'int4', account_id: 'int4', currency: 'text', balance_minor: 'int8' },
  `select organization_id, account_id, currency, balance_minor from account
   where closed_at is not null and balance_minor <> 0
   order by 1, 2 limit :limit`
)

/**
 * Tells once of each bulk that somebody should look: the outcome of some of it has been unknown for a quarter of an
 * hour. It is a new version of the bulk, since each event is one of a version.
 */
export const tellOfUnknown = statement(
  'tell-of-unknown-outcomes',
  { limit: 'int4' },
  { bulk_no: 'int8' },
  `with unknown as (
     select distinct organization_id, bulk_no from chunk c
     where c.due_at is not null and c.status = 'UNKNOWN' and c.since < now() - interval '15 minutes'
       and not exists (
         select from event e
         where (e.organization_id, e.bulk_no) = (c.organization_id, c.bulk_no) and e.type = 'bulk.needs_attention'
           and e.data ->> 'kind' = 'unknown-outcome')
     limit :limit
   ), told as (
     update bulk b set version = b.version + 1
     from unknown u where (b.organization_id, b.bulk_no) = (u.organization_id, u.bulk_no) and b.completed_at is null
     returning b as bulk
   )
   insert into event (organization_id, bulk_no, version, type, actor, trace_id, data)
   select (bulk).organization_id, (bulk).bulk_no, (bulk).version, 'bulk.needs_attention', 'bulkhead', (bulk).trace_id,
          bulk_facts(bulk) || jsonb_build_object('kind', 'unknown-outcome')
   from told
   returning bulk_no`
)

/** Makes sure that a job has its row, and is due no later than its period says: that may have become shorter. */
export const ensureJob = statement(
  'ensure-job',
  { name: 'text', every_ms: 'int4' },
  { name: 'text' },
  `insert into job as j (name, due_at) values (:name, now())
   on conflict (name) do update
     set due_at = least(j.due_at, coalesce(j.done_at, now()) + :every_ms * interval '1 millisecond')
     where not j.taken
   returning name`
)

/** Takes a job that is due for a lease; of several processes one gets it. */
export const takeJob = statement(
  'take-job',
  { names: 'text[]', lease_ms: 'int4' },
  { name: 'text', state: 'jsonb' },
  `with due as (
     select name from job where name = any (:names) and due_at <= now()
     order by due_at limit 1 for update skip locked
   )
   update job j set due_at = now() + :lease_ms * interval '1 millisecond', taken = true
   from due where j.name = due.name
   returning j.name, j.state`
)

/** Keeps how far a job has come, and when it is next to be done. */
export const putJob = statement(
  'put-job',
  { name: 'text', state: 'json', result: 'text', due_in_ms: 'int4', taken: 'bool', done: 'bool' },
  { name: 'text' },
  `update job set state = :state::jsonb, result = :result, due_at = now() + :due_in_ms * interval '1 millisecond',
     taken = :taken, done_at = case when :done then now() else done_at end
   where name = :name returning name`
)

/** The database's time: what is compared over several statements needs one clock. */
export const readTime = statement('read-time', {}, { now: 'timestamptz' }, `select now() as now`)

/** Endpoints that were disabled by what they answered, for a week; and those for which nothing can be signed. */
export const findMuteEndpoints = statement(
  'find-mute-endpoints',
  { unsigned_cause: 'text', limit: 'int4' },
  {
    organization_id: 'int4',
    endpoint_no: 'int8',
    disabled_reason: 'text?',
    since: 'timestamptz',
    last_failure: 'text?'
  },
  `select organization_id, endpoint_no, disabled_reason, coalesce(disabled_at, failing_since) as since, last_failure
   from webhook_endpoint
   where deleted_at is null
     and (disabled_reason in ('gone', 'failing') and disabled_at > now() - interval '7 days'
          or disabled_at is null and failing_since is not null and last_failure = :unsigned_cause)
   order by organization_id, endpoint_no limit :limit`
)
