import { statement } from '../database/statement.ts'

const deliveryRow = {
  delivery_no: 'int8',
  webhook_id: 'text',
  endpoint_no: 'int8',
  position: 'int8?',
  type: 'text',
  status: 'text',
  attempts: 'int2',
  created_at: 'timestamptz',
  next_attempt_at: 'timestamptz?',
  last_status: 'int2?',
  last_cause: 'text?',
  last_at: 'timestamptz?'
} as const

const deliveryColumns = `d.delivery_no, d.webhook_id, d.endpoint_no, d.position, d.type, d.status, d.attempts,
       d.created_at, case when not d.taken then d.due_at end as next_attempt_at,
       a.http_status as last_status, a.cause as last_cause, a.attempted_at as last_at`

const lastAttempt = `left join webhook_attempt a
     on (a.organization_id, a.delivery_no, a.attempt_no) = (d.organization_id, d.delivery_no, d.attempts)`

export const selectDeliveries = statement(
  'select-webhook-deliveries',
  { organization_id: 'int4', endpoint_no: 'int8?', status: 'text?', before_no: 'int8?', limit: 'int4' },
  deliveryRow,
  `select ${deliveryColumns} from webhook_delivery d ${lastAttempt}
   where d.organization_id = :organization_id and (:before_no is null or d.delivery_no < :before_no)
     and (:endpoint_no is null or d.endpoint_no = :endpoint_no) and (:status is null or d.status = :status)
   order by d.delivery_no desc limit :limit`
)

/** One with what is sent: the event that it tells of, and where to. */
export const selectDelivery = statement(
  'select-webhook-delivery',
  { organization_id: 'int4', webhook_id: 'text' },
  { ...deliveryRow, url: 'text', occurred_at: 'timestamptz?', version: 'int4?', data: 'jsonb?' },
  `select ${deliveryColumns}, e.url, v.occurred_at, v.version, v.data
   from webhook_delivery d ${lastAttempt}
   join webhook_endpoint e on (e.organization_id, e.endpoint_no) = (d.organization_id, d.endpoint_no)
   left join event v on (v.organization_id, v.position) = (d.organization_id, d.position)
   where d.organization_id = :organization_id and d.webhook_id = :webhook_id`
)

export const selectAttempts = statement(
  'select-webhook-attempts',
  { organization_id: 'int4', delivery_no: 'int8' },
  {
    attempt_no: 'int2',
    attempted_at: 'timestamptz',
    duration_ms: 'int4',
    http_status: 'int2?',
    cause: 'text?',
    answer: 'text?'
  },
  `select attempt_no, attempted_at, duration_ms, http_status, cause, answer from webhook_attempt
   where organization_id = :organization_id and delivery_no = :delivery_no order by attempt_no`
)

export const insertTest = statement(
  'insert-webhook-test',
  { organization_id: 'int4', endpoint_no: 'int8', type: 'text' },
  { webhook_id: 'text' },
  `insert into webhook_delivery (organization_id, endpoint_no, type)
   values (:organization_id, :endpoint_no, :type) returning webhook_id`
)

/** Begins a delivery again. One that is just being sent stays as it is; what it is beyond that, it may be. */
export const restartDelivery = statement(
  'restart-webhook-delivery',
  { organization_id: 'int4', delivery_no: 'int8' },
  { delivery_no: 'int8' },
  `update webhook_delivery set status = 'PENDING', due_at = now(), failures = 0
   where organization_id = :organization_id and delivery_no = :delivery_no and not taken
   returning delivery_no`
)

/** Where events of a time begin: the position before the first of them. Reads back from the newest. */
export const findPosition = statement(
  'find-event-position',
  { organization_id: 'int4', since: 'timestamptz' },
  { position: 'int8' },
  `select coalesce((
     select position from event
     where organization_id = :organization_id and position is not null and occurred_at < :since
     order by position desc limit 1), 0) as position`
)

/** Lets an endpoint's events be looked at again from a position on; what it has a delivery of gets no second one. */
export const rewindEndpoint = statement(
  'rewind-webhook-endpoint',
  { organization_id: 'int4', endpoint_no: 'int8', position: 'int8' },
  { endpoint_no: 'int8' },
  `update webhook_endpoint set position = least(position, :position)
   where organization_id = :organization_id and endpoint_no = :endpoint_no returning endpoint_no`
)

/** Begins again every delivery that has ended of events after a position: those that failed, or all. */
export const restartDeliveries = statement(
  'restart-webhook-deliveries',
  { organization_id: 'int4', endpoint_no: 'int8', position: 'int8', include_delivered: 'bool' },
  { restarted: 'int8' },
  `with restarted as (
     update webhook_delivery set status = 'PENDING', due_at = now(), failures = 0
     where organization_id = :organization_id and endpoint_no = :endpoint_no and position > :position
       and due_at is null and (status = 'FAILED' or :include_delivered)
     returning 1
   )
   select count(*) as restarted from restarted`
)
