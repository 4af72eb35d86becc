import { z } from 'zod'
import { eventTypes, type EventType } from '../events/event-types.ts'
import { deliveryStatuses } from '../webhooks/deliveries.ts'
import { disabledReasons, type DisabledReason } from '../webhooks/endpoints.ts'

const time = z.string().describe('RFC 3339, UTC.')
const eventType = z.enum(Object.keys(eventTypes) as [EventType, ...EventType[]])
const text = z.string().regex(/^\P{Cc}*$/u, 'has control characters')

const url = text
  .max(2_000)
  .describe('Public and https (in demo and test mode also http), without credentials.')
const description = text.max(200).nullable()
const wantedTypes = z
  .array(eventType)
  .min(1)
  .max(50)
  .nullable()
  .describe('What it is told of; null: everything.')

export const newEndpoint = z
  .strictObject({
    url,
    description: description.default(null),
    event_types: wantedTypes.default(null)
  })
  .meta({ examples: [{ url: 'https://erp.example.com/bulkhead', event_types: ['bulk.completed'] }] })

export const endpointChange = z
  .strictObject({
    url: url.optional(),
    description: description.optional(),
    event_types: wantedTypes.optional(),
    enabled: z
      .boolean()
      .optional()
      .describe('true: it is told of what comes from now on; recover tells it of what it missed.')
  })
  .meta({ examples: [{ enabled: true }] })

export const rotation = z
  .strictObject({
    old_secret_counts_hours: z.int().min(0).max(168).default(24).describe('For how long both secrets sign.')
  })
  .meta({ examples: [{ old_secret_counts_hours: 24 }] })

export const recovery = z
  .strictObject({
    since: z.iso.datetime({ offset: true }),
    include_delivered: z
      .boolean()
      .default(false)
      .describe('Also what was delivered, for a receiver that took it and lost it.')
  })
  .meta({ examples: [{ since: '2026-11-23T08:00:00Z' }] })

const reasonMeanings = Object.entries(disabledReasons).map(([reason, meaning]) => `\`${reason}\`: ${meaning}`)

export const endpoint = z
  .object({
    endpoint_no: z.int(),
    url: z.string(),
    description: z.string().nullable(),
    event_types: z.array(eventType).nullable(),
    status: z.enum(['ENABLED', 'DISABLED']),
    disabled_at: time.nullable(),
    disabled_reason: z
      .enum(Object.keys(disabledReasons) as [DisabledReason, ...DisabledReason[]])
      .nullable()
      .describe(reasonMeanings.join(' ')),
    failing_since: time.nullable().describe('Nothing was delivered since; after five days it is disabled.'),
    last_failure: z.string().nullable().describe('The cause of the last attempt that failed.'),
    paused_until: time.nullable().describe('Until when the receiver asked to be left alone.'),
    old_secret_until: time.nullable().describe('Until when the secret before this one signs, too.'),
    pending_deliveries: z.int(),
    created_at: time
  })
  .meta({ id: 'WebhookEndpoint' })

const secret = z.string().describe('Begins with whsec_. It is told this once.')

export const createdEndpoint = endpoint.extend({ secret }).meta({ id: 'CreatedWebhookEndpoint' })
export const rotatedSecret = z.object({ secret, old_secret_until: time }).meta({ id: 'RotatedWebhookSecret' })
export const recovered = z
  .object({ restarted: z.int().describe('Deliveries that begin again; events that had none come besides.') })
  .meta({ id: 'WebhookRecovery' })

export const deliveryStatus = z.enum(deliveryStatuses)

const cause = z
  .string()
  .nullable()
  .describe('Why it failed: `http-<status>`, `timeout`, the cause of a refusal, or a code of the system.')

const deliveryFields = {
  webhook_id: z.string().describe('The header webhook-id, the same at every attempt.'),
  endpoint_no: z.int(),
  position: z.int().nullable().describe('Of the event; null for a test.'),
  type: z.string(),
  status: deliveryStatus,
  attempt_count: z.int(),
  created_at: time,
  next_attempt_at: time.nullable()
}

export const listedDelivery = z
  .object({
    ...deliveryFields,
    last_attempt: z.object({ at: time, http_status: z.int().nullable(), cause }).nullable()
  })
  .meta({ id: 'WebhookDelivery' })

export const delivery = listedDelivery
  .extend({
    request: z.object({ url: z.string(), body: z.string() }).describe('What is sent, but for the signature.'),
    attempts: z.array(
      z.object({
        attempt_no: z.int(),
        at: time,
        duration_ms: z.int(),
        http_status: z.int().nullable(),
        cause,
        answer: z.string().nullable().describe("The beginning of the receiver's answer.")
      })
    )
  })
  .meta({ id: 'WebhookDeliveryLog' })
