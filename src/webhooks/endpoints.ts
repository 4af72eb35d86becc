import type { Context } from '../context.ts'
import type { Tx } from '../database/statement.ts'
import type { AuditType, EventType } from '../events/event-types.ts'
import { recordAct } from '../events/record-act.ts'
import { showSecret } from './signature.ts'
import { sealSecret } from './sealed-secret.ts'
import * as queries from './endpoint-queries.ts'

/** Why an endpoint is disabled. The one table. */
export const disabledReasons = {
  owner: 'You disabled it.',
  gone: 'It answered 410 Gone: whoever runs it wants no more.',
  failing: 'Every delivery failed for five days.'
} as const
export type DisabledReason = keyof typeof disabledReasons

/** Most endpoints of an organization. */
export const mostEndpoints = 20

export interface WantedEndpoint {
  url: string
  description: string | null
  /** Null: all of them. */
  event_types: EventType[] | null
}

/** Which endpoint of which organization. */
export interface EndpointKey {
  organization_id: number
  endpoint_no: bigint
}

type EndpointRow = Awaited<ReturnType<typeof queries.selectEndpoints>>[number]

/** The endpoints of an organization. */
export async function listEndpoints(tx: Tx, organizationId: number) {
  const rows = await queries.selectEndpoints(tx, { organization_id: organizationId, endpoint_no: null })
  return rows.map(describeEndpoint)
}

/** An endpoint, or null if the organization has none of this number. */
export async function readEndpoint(tx: Tx, key: EndpointKey) {
  const [row] = await queries.selectEndpoints(tx, key)
  return row ? describeEndpoint(row) : null
}

function describeEndpoint(row: EndpointRow) {
  return {
    endpoint_no: Number(row.endpoint_no),
    url: row.url,
    description: row.description,
    event_types: row.event_types as EventType[] | null,
    status: row.disabled_at === null ? ('ENABLED' as const) : ('DISABLED' as const),
    disabled_at: row.disabled_at?.toISOString() ?? null,
    disabled_reason: row.disabled_reason as DisabledReason | null,
    failing_since: row.failing_since?.toISOString() ?? null,
    last_failure: row.last_failure,
    paused_until: row.paused_until?.toISOString() ?? null,
    old_secret_until: row.old_secret_until?.toISOString() ?? null,
    pending_deliveries: Number(row.pending),
    created_at: row.created_at.toISOString()
  }
}

/** Opens an endpoint. Its secret is in this answer, and in none after it. Null if there are as many as there may be. */
export async function createEndpoint(context: Context, organizationId: number, wanted: WantedEndpoint) {
  const { shown, stored } = makeSecret(context, organizationId)
  return context.db.transaction(async (tx) => {
    const [made] = await queries.insertEndpoint(tx, {
      organization_id: organizationId,
      created_by: context.origin.actor,
      ...wanted,
      secret: stored,
      most: mostEndpoints
    })
    if (!made) return null
    const key = { organization_id: organizationId, ...made }
    const endpoint = await readEndpoint(tx, key)
    if (endpoint === null) return null
    await record(tx, context, { key, type: 'webhook.created', data: { after: describeForAudit(endpoint) } })
    return { ...endpoint, secret: shown }
  })
}

export interface EndpointChange {
  url?: string | undefined
  description?: string | null | undefined
  event_types?: EventType[] | null | undefined
  enabled?: boolean | undefined
}

/** Changes what is given. What was still to be delivered to an endpoint that is disabled has failed. */
export async function changeEndpoint(context: Context, key: EndpointKey, change: EndpointChange) {
  return context.db.transaction(async (tx) => {
    await queries.lockEndpoint(tx, key)
    const before = await readEndpoint(tx, key)
    if (before === null) return null
    await queries.updateEndpoint(tx, {
      ...key,
      url: change.url ?? null,
      change_description: change.description !== undefined,
      description: change.description ?? null,
      change_event_types: change.event_types !== undefined,
      event_types: change.event_types ?? null,
      enabled: change.enabled ?? null
    })
    if (change.enabled === false) await queries.abandonDeliveries(tx, key)
    const after = await readEndpoint(tx, key)
    if (after === null) return null
    const data = {
      before: describeForAudit(before),
      after: describeForAudit(after),
      url_changed: before.url !== after.url
    }
    await record(tx, context, { key, type: 'webhook.changed', data })
    return after
  })
}

/** Gives an endpoint a new secret, told once; the one until now counts for some hours more. Null: no such endpoint. */
export async function rotateSecret(context: Context, key: EndpointKey, oldCountsHours: number) {
  const { shown, stored } = makeSecret(context, key.organization_id)
  return context.db.transaction(async (tx) => {
    const [rotated] = await queries.rotateSecret(tx, {
      ...key,
      secret: stored,
      old_counts_hours: oldCountsHours
    })
    if (!rotated) return null
    const old_secret_until = rotated.old_secret_until.toISOString()
    await record(tx, context, { key, type: 'webhook.secret_rotated', data: { old_secret_until } })
    return { secret: shown, old_secret_until }
  })
}

/** Removes an endpoint: nothing is sent there any more. False if there is none of this number. */
export async function removeEndpoint(context: Context, key: EndpointKey): Promise<boolean> {
  return context.db.transaction(async (tx) => {
    const [removed] = await queries.deleteEndpoint(tx, key)
    if (!removed) return false
    await queries.abandonDeliveries(tx, key)
    await record(tx, context, { key, type: 'webhook.deleted', data: {} })
    return true
  })
}

function record(
  tx: Tx,
  { origin }: Context,
  { key, type, data }: { key: EndpointKey; type: AuditType; data: Record<string, unknown> }
): Promise<void> {
  const { organization_id, endpoint_no } = key
  return recordAct(tx, origin, {
    organization_id,
    type,
    data: { endpoint_no: Number(endpoint_no), ...data }
  })
}

/** Of the address the host only: the rest can be as good as a password. */
function describeForAudit({ url, event_types, status }: ReturnType<typeof describeEndpoint>) {
  return { host: new URL(url).host, event_types, status }
}

function makeSecret({ random, settings }: Context, organizationId: number) {
  const secret = random.bytes(32)
  const keeper = { keys: settings.WEBHOOK_SECRET_KEY, organization_id: organizationId }
  return { shown: showSecret(secret), stored: sealSecret(secret, random.bytes(12), keeper) }
}
