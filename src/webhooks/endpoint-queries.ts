import { statement } from '../database/statement.ts'

const endpointRow = {
  endpoint_no: 'int8',
  url: 'text',
  description: 'text?',
  event_types: 'text[]?',
  created_at: 'timestamptz',
  disabled_at: 'timestamptz?',
  disabled_reason: 'text?',
  failing_since: 'timestamptz?',
  last_failure: 'text?',
  paused_until: 'timestamptz?',
  old_secret_until: 'timestamptz?',
  pending: 'int8'
} as const

const endpointColumns = `e.endpoint_no, e.url, e.description, e.event_types, e.created_at, e.disabled_at,
       e.disabled_reason, e.failing_since, e.last_failure, e.old_secret_until,
       case when e.paused_until > now() then e.paused_until end as paused_until,
       (select count(*) from webhook_delivery d
        where (d.organization_id, d.endpoint_no) = (e.organization_id, e.endpoint_no)
          and d.due_at is not null) as pending`

export const selectEndpoints = statement(
  'select-webhook-endpoints',
  { organization_id: 'int4', endpoint_no: 'int8?' },
  endpointRow,
  `select ${endpointColumns} from webhook_endpoint e
   where e.organization_id = :organization_id and e.deleted_at is null
     and (:endpoint_no is null or e.endpoint_no = :endpoint_no)
   order by e.endpoint_no`
)

/** A new endpoint is told of what comes after it. No row if the organization has as many as it may have. */
export const insertEndpoint = statement(
  'insert-webhook-endpoint',
  {
    organization_id: 'int4',
    created_by: 'text',
    url: 'text',
    description: 'text?',
    event_types: 'text[]?',
    secret: 'bytea',
    most: 'int4'
  },
  { endpoint_no: 'int8' },
  `insert into webhook_endpoint (organization_id, created_by, url, description, event_types, secret, position)
   select :organization_id, :created_by, :url, :description, :event_types, :secret, coalesce(
     (select max(position) from event where organization_id = :organization_id), 0)
   where :most > (
     select count(*) from webhook_endpoint where organization_id = :organization_id and deleted_at is null)
   returning endpoint_no`
)

/**
 * Changes what is given of an endpoint. One that is enabled again is told of what comes after that; what it missed can
 * be recovered.
 */
export const updateEndpoint = statement(
  'update-webhook-endpoint',
  {
    organization_id: 'int4',
    endpoint_no: 'int8',
    url: 'text?',
    change_description: 'bool',
    description: 'text?',
    change_event_types: 'bool',
    event_types: 'text[]?',
    enabled: 'bool?'
  },
  { endpoint_no: 'int8' },
  `update webhook_endpoint e set
     url = coalesce(:url, e.url),
     description = case when :change_description then :description else e.description end,
     event_types = case when :change_event_types then :event_types else e.event_types end,
     disabled_at = case when :enabled then null when not :enabled then coalesce(e.disabled_at, now()) else e.disabled_at end,
     disabled_reason = case when :enabled then null when not :enabled then coalesce(e.disabled_reason, 'owner')
                            else e.disabled_reason end,
     failing_since = case when :enabled then null else e.failing_since end,
     paused_until = case when :enabled then null else e.paused_until end,
     position = case when :enabled and e.disabled_at is not null then greatest(e.position, coalesce(
                  (select max(position) from event where organization_id = :organization_id), 0))
                else e.position end
   where e.organization_id = :organization_id and e.endpoint_no = :endpoint_no and e.deleted_at is null
   returning e.endpoint_no`
)

/** The secret until now goes on to count for a while beside the new one; one that was old already does not. */
export const rotateSecret = statement(
  'rotate-webhook-secret',
  { organization_id: 'int4', endpoint_no: 'int8', secret: 'bytea', old_counts_hours: 'int4' },
  { old_secret_until: 'timestamptz' },
  `update webhook_endpoint set
     old_secret = secret, old_secret_until = now() + :old_counts_hours * interval '1 hour', secret = :secret
   where organization_id = :organization_id and endpoint_no = :endpoint_no and deleted_at is null
   returning old_secret_until`
)

/** The row stays, for the log of its deliveries; its secrets do not. */
export const deleteEndpoint = statement(
  'delete-webhook-endpoint',
  { organization_id: 'int4', endpoint_no: 'int8' },
  { endpoint_no: 'int8' },
  `update webhook_endpoint set deleted_at = now(), secret = null, old_secret = null, old_secret_until = null
   where organization_id = :organization_id and endpoint_no = :endpoint_no and deleted_at is null
   returning endpoint_no`
)

/** Locks an endpoint, which comes before its deliveries wherever both are changed. */
export const lockEndpoint = statement(
  'lock-webhook-endpoint',
  { organization_id: 'int4', endpoint_no: 'int8' },
  { disabled: 'bool' },
  `select disabled_at is not null as disabled from webhook_endpoint
   where organization_id = :organization_id and endpoint_no = :endpoint_no and deleted_at is null
   for no key update`
)

/** Ends what is still to be delivered to an endpoint that is disabled or deleted. */
export const abandonDeliveries = statement(
  'abandon-webhook-deliveries',
  { organization_id: 'int4', endpoint_no: 'int8' },
  { delivery_no: 'int8' },
  `update webhook_delivery set status = 'FAILED', due_at = null, taken = false
   where organization_id = :organization_id and endpoint_no = :endpoint_no and due_at is not null
   returning delivery_no`
)
