import { Webhook } from 'standardwebhooks'
import { createGuardedPost } from '../../src/outgoing/guarded-post.ts'
import { receiverPolicy } from '../../src/outgoing/outgoing.ts'
import { sealEvents } from '../../src/events/seal-events.ts'
import type { EventType } from '../../src/events/event-types.ts'
import type { Settings } from '../../src/settings.ts'
import { deliver, prepareDeliveries, takeDeliveries } from '../../src/webhooks/deliver.ts'
import { createEndpoint } from '../../src/webhooks/endpoints.ts'
import { anOrganization } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import type { TestDatabase } from '../support/database.ts'
import type { Received } from '../support/receiver.ts'

/** A context whose calls really go out, to receivers on this machine. */
export function createSendingContext(
  database: TestDatabase,
  options: { resolve?: (name: string) => Promise<string[]>; settings?: Partial<Settings> } = {}
) {
  const context = createTestContext(database, { WEBHOOK_TIMEOUT_MS: 2_000, ...options.settings })
  context.outgoing = createGuardedPost({
    policy: receiverPolicy(context.settings),
    timeout_ms: context.settings.WEBHOOK_TIMEOUT_MS,
    ...(options.resolve === undefined ? {} : { resolve: options.resolve })
  })
  return context
}

export type SendingContext = ReturnType<typeof createSendingContext>

/** An organization with an endpoint at a URL, and what a test does with them. */
export async function aSubscriber(
  database: TestDatabase,
  context: SendingContext,
  url: string,
  event_types: EventType[] | null = null
) {
  const organization_id = await anOrganization(database.db)
  const endpoint = await createEndpoint(context, organization_id, { url, description: null, event_types })
  if (endpoint === null) throw new Error('there was an endpoint too many')
  const key = { organization_id, endpoint_no: BigInt(endpoint.endpoint_no) }
  return {
    organization_id,
    key,
    secret: endpoint.secret,
    /** Lets something happen, and be sealed. */
    async happen(type: EventType = 'bulk.completed', data: object = {}) {
      await database.sql(
        `insert into event (organization_id, type, actor, data) values ($1, $2, 'test', $3)`,
        [organization_id, type, data]
      )
      await sealEvents(database.db)
    },
    /** Moves everything that is planned for this organization so much nearer. */
    async pass(ms: number) {
      const earlier = `- $2 * interval '1 millisecond'`
      await database.sql(
        `update webhook_delivery set due_at = due_at ${earlier}, created_at = created_at ${earlier}
         where organization_id = $1`,
        [organization_id, ms]
      )
      await database.sql(
        `update webhook_endpoint set failing_since = failing_since ${earlier}, disabled_at = disabled_at ${earlier}, paused_until = paused_until ${earlier},
                old_secret_until = old_secret_until ${earlier} where organization_id = $1`,
        [organization_id, ms]
      )
    },
    deliveries: () =>
      database.sql<{
        webhook_id: string
        status: string
        attempts: number
        due_in_ms: number | null
        position: string
      }>(
        `select webhook_id, status, attempts, position,
                round(extract(epoch from due_at - now()) * 1000)::float8 as due_in_ms
         from webhook_delivery where organization_id = $1 order by delivery_no`,
        [organization_id]
      ),
    endpoint: async () =>
      (await database.sql('select * from webhook_endpoint where organization_id = $1', [organization_id]))[0]!
  }
}

/** Everything that is due, sent and recorded; returns how many attempts that were. */
export async function sendDue(context: SendingContext): Promise<number> {
  await prepareDeliveries(context)
  for (let attempts = 0; ;) {
    const working = await takeDeliveries(context, { failing: false, slots: 50, per_endpoint: 4 })
    const failing = await takeDeliveries(context, { failing: true, slots: 50, per_endpoint: 1 })
    const due = [...working, ...failing]
    if (due.length === 0) return attempts
    await Promise.all(due.map((delivery) => deliver(context, delivery)))
    attempts += due.length
  }
}

/** What was received, verified by the published package of the specification. */
export const verify = (secret: string, { body, headers }: Received) =>
  new Webhook(secret).verify(body, headers as Record<string, string>) as {
    type: string
    data: Record<string, unknown>
  }
