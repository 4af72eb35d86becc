import { z } from 'zod'
import { eventTypes } from '../../events/event-types.ts'
import { Problem } from '../../domain/problem.ts'
import { readReceiver, refusedReceivers } from '../../domain/receiver-address.ts'
import { receiverPolicy } from '../../outgoing/outgoing.ts'
import type { Settings } from '../../settings.ts'
import { keptDays, recover, sendTest, type Asked } from '../../webhooks/deliveries.ts'
import * as endpoints from '../../webhooks/endpoints.ts'
import { actingFor, type Acting } from '../acting.ts'
import * as schemas from '../webhook-schemas.ts'
import { listOf } from '../schemas.ts'
import type { Server } from '../server-type.ts'

const params = z.object({
  endpoint_no: z.coerce.number().int().min(1)
})
const config = { scope: 'webhooks' } as const
const tags = ['webhooks']
const typeMeanings = Object.entries(eventTypes).map(([type, meaning]) => `- \`${type}\`: ${meaning}`)

/** Where an organization wants to be told of its events. */
export function webhookEndpointRoutes(server: Server): void {
  readingRoutes(server)
  openingRoute(server)
  changingRoutes(server)
  rotationRoute(server)
  sendingRoutes(server)
}

function readingRoutes(server: Server): void {
  server.get(
    '/webhooks/endpoints',
    {
      config,
      schema: {
        operationId: 'list_webhook_endpoints',
        tags,
        summary: 'Your webhook endpoints',
        response: { 200: listOf(schemas.endpoint) }
      }
    },
    async (request) => {
      const { context, organizationId } = actingFor(request)
      const data = await endpoints.listEndpoints(context.db, organizationId)
      return { data, has_more: false, next_cursor: null }
    }
  )
  server.get(
    '/webhooks/endpoints/:endpoint_no',
    {
      config,
      schema: {
        operationId: 'read_webhook_endpoint',
        tags,
        summary: 'An endpoint, and why it is disabled if it is',
        params,
        response: { 200: schemas.endpoint }
      }
    },
    async (request) => {
      const acting = actingFor(request)
      return orNotFound(await endpoints.readEndpoint(acting.context.db, keyOf(acting, request.params)))
    }
  )
}

function openingRoute(server: Server): void {
  server.post(
    '/webhooks/endpoints',
    {
      config: { ...config, refuses: ['too-many-endpoints'] },
      schema: {
        operationId: 'create_webhook_endpoint',
        tags,
        summary: 'Open an endpoint; the answer tells its signing secret, once',
        description: `It is told of what comes after it:\n${typeMeanings.join('\n')}`,
        body: schemas.newEndpoint,
        response: { 201: schemas.createdEndpoint }
      }
    },
    async (request, reply) => {
      const { context, organizationId } = actingFor(request)
      const wanted = { ...request.body, url: requireUrl(request.body.url, context.settings) }
      const made = await endpoints.createEndpoint(context, organizationId, wanted)
      if (made === null)
        throw new Problem({
          reason: 'too-many-endpoints',
          details: `There are ${endpoints.mostEndpoints} endpoints, which is the most; remove one that is not needed.`
        })
      return reply.code(201).header('location', `/webhooks/endpoints/${made.endpoint_no}`).send(made)
    }
  )
}

function changingRoutes(server: Server): void {
  server.patch(
    '/webhooks/endpoints/:endpoint_no',
    {
      config,
      schema: {
        operationId: 'change_webhook_endpoint',
        tags,
        summary: 'Change an endpoint, disable it or enable it again',
        params,
        body: schemas.endpointChange,
        response: { 200: schemas.endpoint }
      }
    },
    async (request) => {
      const acting = actingFor(request)
      const { url, ...rest } = request.body
      const change = url === undefined ? rest : { ...rest, url: requireUrl(url, acting.context.settings) }
      return orNotFound(await endpoints.changeEndpoint(acting.context, keyOf(acting, request.params), change))
    }
  )
  server.delete(
    '/webhooks/endpoints/:endpoint_no',
    {
      config,
      schema: {
        operationId: 'remove_webhook_endpoint',
        tags,
        summary: 'Remove an endpoint; what was still to be sent is not',
        params,
        response: { 204: z.null() }
      }
    },
    async (request, reply) => {
      const acting = actingFor(request)
      const removed = await endpoints.removeEndpoint(acting.context, keyOf(acting, request.params))
      if (!removed) throw notFound()
      return reply.code(204).send(null)
    }
  )
}

function rotationRoute(server: Server): void {
  server.post(
    '/webhooks/endpoints/:endpoint_no/rotate-secret',
    {
      config,
      schema: {
        operationId: 'rotate_webhook_secret',
        tags,
        summary: 'Give an endpoint a new secret; both sign for a while',
        params,
        body: schemas.rotation,
        response: { 200: schemas.rotatedSecret }
      }
    },
    async (request) => {
      const acting = actingFor(request)
      const { old_secret_counts_hours } = request.body
      const key = keyOf(acting, request.params)
      return orNotFound(await endpoints.rotateSecret(acting.context, key, old_secret_counts_hours))
    }
  )
}

function sendingRoutes(server: Server): void {
  server.post(
    '/webhooks/endpoints/:endpoint_no/test',
    {
      config: { ...config, refuses: ['endpoint-disabled'] },
      schema: {
        operationId: 'test_webhook_endpoint',
        tags,
        summary: 'Send an endpoint a test, by the way that events go',
        params,
        response: { 202: z.object({ webhook_id: z.string() }) }
      }
    },
    async (request, reply) => {
      const acting = actingFor(request)
      const { webhook_id } = requireAsked(await sendTest(acting.context, keyOf(acting, request.params)))
      return reply.code(202).header('location', `/webhooks/deliveries/${webhook_id}`).send({ webhook_id })
    }
  )
  server.post(
    '/webhooks/endpoints/:endpoint_no/recover',
    {
      config: { ...config, refuses: ['endpoint-disabled'] },
      schema: {
        operationId: 'recover_webhook_endpoint',
        tags,
        summary: `Tell an endpoint of every event since a time, within ${keptDays} days, that it was not told of`,
        params,
        body: schemas.recovery,
        response: { 202: schemas.recovered }
      }
    },
    async (request, reply) => {
      const acting = actingFor(request)
      const { since, include_delivered } = request.body
      const recovery = { since: new Date(since), include_delivered }
      const recovered = await recover(acting.context, keyOf(acting, request.params), recovery)
      if (recovered.outcome === 'too-early') throw tooEarly(recovered.earliest)
      const { restarted } = requireAsked(recovered)
      return reply.code(202).send({ restarted })
    }
  )
}

function keyOf({ organizationId }: Acting, { endpoint_no }: { endpoint_no: number }) {
  return { organization_id: organizationId, endpoint_no: BigInt(endpoint_no) }
}

function requireUrl(text: string, settings: Settings): string {
  const read = readReceiver(text, receiverPolicy(settings))
  if (read.outcome === 'url') return read.url.href
  const detail = `${refusedReceivers[read.cause]}.`
  throw new Problem({
    reason: 'invalid-request',
    details: `url: ${detail}`,
    errors: [{ pointer: '/url', code: read.cause, detail }]
  })
}

function orNotFound<T>(found: T | null): T {
  if (found === null) throw notFound()
  return found
}

function notFound(): Problem {
  return new Problem({
    reason: 'not-found',
    details:
      'Your organization has no such endpoint or delivery; GET /webhooks/endpoints lists the endpoints.'
  })
}

function tooEarly(earliest: Date): Problem {
  const detail = `Deliveries are kept for ${keptDays} days: give ${earliest.toISOString()} or later. What is older is in GET /events.`
  return new Problem({
    reason: 'invalid-request',
    details: `since: ${detail}`,
    errors: [{ pointer: '/since', code: 'beyond-retention', detail }]
  })
}

/** What was asked of an endpoint, or why it cannot be done. */
export function requireAsked<T>(asked: Asked<T>): T {
  if (asked.outcome === 'asked') return asked
  if (asked.outcome === 'not-found') throw notFound()
  throw new Problem({
    reason: 'endpoint-disabled',
    details: 'Nothing is sent to an endpoint that is disabled; enable it first: PATCH {"enabled": true}.'
  })
}
