import type { Context } from '../context.ts'
import type { Tx } from '../database/statement.ts'
import { lockEndpoint } from './endpoint-queries.ts'
import type { EndpointKey } from './endpoints.ts'
import { renderPayload, testType } from './payload.ts'
import * as queries from './delivery-queries.ts'

export const deliveryStatuses = ['PENDING', 'DELIVERED', 'FAILED'] as const
export type DeliveryStatus = (typeof deliveryStatuses)[number]

type DeliveryRow = Awaited<ReturnType<typeof queries.selectDeliveries>>[number]

export interface DeliveryQuery {
  organization_id: number
  endpoint_no: bigint | null
  status: DeliveryStatus | null
  before_no: bigint | null
  limit: number
}

/** The deliveries of an organization, the newest first. */
export async function listDeliveries(tx: Tx, query: DeliveryQuery) {
  const rows = await queries.selectDeliveries(tx, query)
  return rows.map((row) => ({ delivery_no: row.delivery_no, ...describeDelivery(row) }))
}

function describeDelivery(row: DeliveryRow) {
  return {
    webhook_id: row.webhook_id,
    endpoint_no: Number(row.endpoint_no),
    position: row.position === null ? null : Number(row.position),
    type: row.type,
    status: row.status as DeliveryStatus,
    attempt_count: row.attempts,
    created_at: row.created_at.toISOString(),
    next_attempt_at: row.next_attempt_at?.toISOString() ?? null,
    last_attempt:
      row.last_at === null
        ? null
        : { at: row.last_at.toISOString(), http_status: row.last_status, cause: row.last_cause }
  }
}

/** A delivery with what is sent and every answer to it, or null if the organization has none of this id. */
export async function readDelivery(tx: Tx, organizationId: number, webhookId: string) {
  const [row] = await queries.selectDelivery(tx, { organization_id: organizationId, webhook_id: webhookId })
  if (!row) return null
  const attempts = await queries.selectAttempts(tx, {
    organization_id: organizationId,
    delivery_no: row.delivery_no
  })
  return {
    ...describeDelivery(row),
    request: { url: row.url, body: renderPayload(row) },
    attempts: attempts.map(({ attempted_at, ...attempt }) => ({
      ...attempt,
      at: attempted_at.toISOString()
    }))
  }
}

export type Asked<T> = ({ outcome: 'asked' } & T) | { outcome: 'not-found' } | { outcome: 'disabled' }

/** Lets an endpoint be sent a test, by the way that events go. */
export async function sendTest(context: Context, key: EndpointKey): Promise<Asked<{ webhook_id: string }>> {
  return whenEnabled(context, key, async (tx) => {
    const [made] = await queries.insertTest(tx, { ...key, type: testType })
    return { webhook_id: made?.webhook_id ?? '' }
  })
}

/** Lets a delivery be sent again, under its webhook-id, whatever has become of it. */
export async function redeliver(
  context: Context,
  organizationId: number,
  webhookId: string
): Promise<Asked<object>> {
  const id = { organization_id: organizationId, webhook_id: webhookId }
  const [found] = await queries.selectDelivery(context.db, id)
  if (!found) return { outcome: 'not-found' }
  const { endpoint_no, delivery_no } = found
  return whenEnabled(context, { organization_id: organizationId, endpoint_no }, async (tx) => {
    await queries.restartDelivery(tx, { organization_id: organizationId, delivery_no })
    return {}
  })
}

/** Days for which deliveries that ended can be looked at and sent again. */
export const keptDays = 30

export interface Recovery {
  since: Date
  /** Also what was delivered: for a receiver that took it and lost it. */
  include_delivered: boolean
}

/**
 * Lets an endpoint be told of every event since a time that it has not been told of: what failed, and what it was
 * never to be told of, because it was disabled or did not exist. Returns how many deliveries begin again. Not further
 * back than deliveries are kept: nobody knows what was delivered before, and it would get another webhook-id.
 */
export async function recover(
  context: Context,
  key: EndpointKey,
  { since, include_delivered }: Recovery
): Promise<Asked<{ restarted: number }> | { outcome: 'too-early'; earliest: Date }> {
  const earliest = new Date(context.clock.nowMs() - keptDays * 86_400_000)
  if (since < earliest) return { outcome: 'too-early', earliest }
  return whenEnabled(context, key, async (tx) => {
    const [from] = await queries.findPosition(tx, { organization_id: key.organization_id, since })
    const position = from?.position ?? 0n
    await queries.rewindEndpoint(tx, { ...key, position })
    const [row] = await queries.restartDeliveries(tx, { ...key, position, include_delivered })
    return { restarted: Number(row?.restarted ?? 0n) }
  })
}

/** The endpoint's lock comes first, as in every transaction that changes both it and its deliveries. */
async function whenEnabled<T extends object>(
  context: Context,
  key: EndpointKey,
  work: (tx: Tx) => Promise<T>
): Promise<Asked<T>> {
  return context.db.transaction(async (tx) => {
    const [endpoint] = await lockEndpoint(tx, key)
    if (!endpoint) return { outcome: 'not-found' }
    if (endpoint.disabled) return { outcome: 'disabled' }
    return { outcome: 'asked', ...(await work(tx)) }
  })
}
