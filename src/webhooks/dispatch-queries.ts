import { statement } from '../database/statement.ts'

/**
 * Looks at the next events of endpoints that are behind: makes a delivery of each that an endpoint wants and moves its
 * position on, in one statement, so that a crash loses none. An endpoint that somebody else has locked is passed over.
 */
export const fanOut = statement(
  'fan-out-events',
  { endpoints: 'int4', events: 'int4', told_types: 'text[]' },
  { moved: 'int8' },
  `with endpoint as (
     select e.organization_id, e.endpoint_no, e.position, e.event_types from webhook_endpoint e
     where e.disabled_at is null and e.deleted_at is null and exists (
       select from event v where v.organization_id = e.organization_id and v.position > e.position)
     limit :endpoints for no key update skip locked
   ), fresh as (
     select e.organization_id, e.endpoint_no, v.position, v.type,
            v.type = any (coalesce(e.event_types, :told_types)) as wanted
     from endpoint e
     cross join lateral (
       select v.position, v.type from event v
       where v.organization_id = e.organization_id and v.position > e.position
       order by v.position limit :events) v
   ), made as (
     insert into webhook_delivery (organization_id, endpoint_no, position, type)
     select organization_id, endpoint_no, position, type from fresh where wanted
     order by organization_id, endpoint_no, position
     on conflict do nothing
   ), moved as (
     update webhook_endpoint e set position = f.position
     from (select organization_id, endpoint_no, max(position) as position from fresh group by 1, 2) f
     where (e.organization_id, e.endpoint_no) = (f.organization_id, f.endpoint_no)
     returning 1
   )
   select count(*) as moved from moved`
)

/**
 * Takes due deliveries for a lease, of endpoints that fail or of the others: the first of each endpoint before the
 * second of any, and not more of one than may be under way at one time. What another has locked is passed over.
 */
export const claimDeliveries = statement(
  'claim-webhook-deliveries',
  { failing: 'bool', slots: 'int4', per_endpoint: 'int4', lease_ms: 'int4' },
  {
    organization_id: 'int4',
    endpoint_no: 'int8',
    delivery_no: 'int8',
    epoch: 'int4',
    failures: 'int2',
    webhook_id: 'text',
    type: 'text',
    created_at: 'timestamptz',
    position: 'int8?',
    occurred_at: 'timestamptz?',
    version: 'int4?',
    trace_id: 'text?',
    data: 'jsonb?',
    url: 'text',
    secret: 'bytea',
    old_secret: 'bytea?'
  },
  `with chosen as materialized (
     select d.organization_id, d.delivery_no
     from webhook_endpoint e
     cross join lateral (
       select count(*) as flying from webhook_delivery f
       where (f.organization_id, f.endpoint_no) = (e.organization_id, e.endpoint_no) and f.taken and f.due_at > now()) f
     cross join lateral (
       select d.organization_id, d.delivery_no, d.due_at from webhook_delivery d
       where (d.organization_id, d.endpoint_no) = (e.organization_id, e.endpoint_no) and d.due_at <= now()
       order by d.due_at, d.delivery_no limit greatest(0, :per_endpoint - f.flying)
       for update skip locked) d
     where e.disabled_at is null and e.deleted_at is null and (e.failing_since is not null) = :failing
       and (e.paused_until is null or e.paused_until <= now())
     order by row_number() over (partition by e.organization_id, e.endpoint_no order by d.due_at, d.delivery_no),
              d.due_at
     limit :slots
   ), taken as (
     update webhook_delivery d
     set taken = true, epoch = d.epoch + 1, due_at = now() + :lease_ms * interval '1 millisecond'
     from chosen c
     where (d.organization_id, d.delivery_no) = (c.organization_id, c.delivery_no) and d.due_at <= now()
     returning d.*
   )
   select d.organization_id, d.endpoint_no, d.delivery_no, d.epoch, d.failures, d.webhook_id, d.type, d.created_at,
          d.position, v.occurred_at, v.version, v.trace_id, v.data, e.url, e.secret,
          case when e.old_secret_until > now() then e.old_secret end as old_secret
   from taken d
   join webhook_endpoint e using (organization_id, endpoint_no)
   left join event v on (v.organization_id, v.position) = (d.organization_id, d.position)
   order by d.delivery_no`
)

/**
 * Records an attempt: the delivery's end or its next time, the log, and what it says of the endpoint. The endpoint's
 * lock comes first. No row if the lease was lost, or if nothing of the endpoint changes.
 */
export const recordAttempt = statement(
  'record-webhook-attempt',
  {
    organization_id: 'int4',
    endpoint_no: 'int8',
    delivery_no: 'int8',
    epoch: 'int4',
    http_status: 'int2?',
    cause: 'text?',
    answer: 'text?',
    duration_ms: 'int4',
    retry_in_ms: 'int8?',
    pause_ms: 'int8',
    gone: 'bool',
    disabled_after_ms: 'int8'
  },
  { disabled_reason: 'text?' },
  `with endpoint as materialized (
     select organization_id, endpoint_no,
            :cause is not null and failing_since < now() - :disabled_after_ms * interval '1 millisecond' as failing
     from webhook_endpoint
     where organization_id = :organization_id and endpoint_no = :endpoint_no for no key update
   ), delivery as (
     update webhook_delivery d
     set taken = false, attempts = d.attempts + 1, failures = d.failures + case when :cause is null then 0 else 1 end,
         status = case when :cause is null then 'DELIVERED' when :retry_in_ms is null then 'FAILED' else 'PENDING' end,
         due_at = case when :cause is not null then now() + :retry_in_ms * interval '1 millisecond' end
     from endpoint e
     where d.organization_id = e.organization_id and d.delivery_no = :delivery_no and d.epoch = :epoch and d.taken
     returning d.organization_id, d.endpoint_no, d.delivery_no, d.attempts, e.failing
   ), logged as (
     insert into webhook_attempt (organization_id, delivery_no, attempt_no, duration_ms, http_status, cause, answer)
     select organization_id, delivery_no, attempts, :duration_ms, :http_status, :cause, :answer from delivery
   )
   update webhook_endpoint e set
     failing_since = case when :cause is not null then coalesce(e.failing_since, now()) end,
     last_failure = coalesce(:cause, e.last_failure),
     paused_until = case when :pause_ms > 0 then now() + :pause_ms * interval '1 millisecond' else e.paused_until end,
     disabled_at = case when :gone or d.failing then now() else e.disabled_at end,
     disabled_reason = case when :gone then 'gone' when d.failing then 'failing' else e.disabled_reason end
   from delivery d
   where (e.organization_id, e.endpoint_no) = (d.organization_id, d.endpoint_no)
     and (:cause is not null or e.failing_since is not null)
   returning e.disabled_reason`
)

/** Forgets deliveries that ended, after a while, with their attempts. */
export const purgeDeliveries = statement(
  'purge-webhook-deliveries',
  { days: 'int4', limit: 'int4' },
  { purged: 'int8' },
  `with old as materialized (
     select organization_id, delivery_no from webhook_delivery
     where created_at < now() - :days * interval '1 day' and due_at is null
     limit :limit for update skip locked
   ), attempts as (
     delete from webhook_attempt a using old
     where (a.organization_id, a.delivery_no) = (old.organization_id, old.delivery_no)
   ), deliveries as (
     delete from webhook_delivery d using old
     where (d.organization_id, d.delivery_no) = (old.organization_id, old.delivery_no) returning 1
   )
   select count(*) as purged from deliveries`
)
