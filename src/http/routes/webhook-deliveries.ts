import { z } from 'zod'
import { Problem } from '../../domain/problem.ts'
import { listDeliveries, readDelivery, redeliver } from '../../webhooks/deliveries.ts'
import { actingFor } from '../acting.ts'
import { decodeCursor, page, pageQuery } from '../cursor.ts'
import { listOf } from '../schemas.ts'
import * as schemas from '../webhook-schemas.ts'
import type { Server } from '../server-type.ts'
import { requireAsked } from './webhook-endpoints.ts'

const params = z.object({ webhook_id: z.string().regex(/^\P{Cc}{1,100}$/u) })
const config = { scope: 'webhooks' } as const
const tags = ['webhooks']

/** What became of each event for each endpoint. */
export function webhookDeliveryRoutes(server: Server): void {
  listRoute(server)
  deliveryRoutes(server)
}

function listRoute(server: Server): void {
  server.get(
    '/webhooks/deliveries',
    {
      config,
      schema: {
        operationId: 'list_webhook_deliveries',
        tags,
        summary: 'What was sent, is being sent and could not be sent, the newest first; kept for 30 days',
        querystring: z.strictObject({
          endpoint_no: z.coerce.number().int().min(1).optional(),
          status: schemas.deliveryStatus.optional(),
          ...pageQuery
        }),
        response: { 200: listOf(schemas.listedDelivery) }
      }
    },
    async (request) => {
      const { context, organizationId } = actingFor(request)
      const { endpoint_no, status, limit, cursor } = request.query
      const rows = await listDeliveries(context.db, {
        organization_id: organizationId,
        endpoint_no: endpoint_no === undefined ? null : BigInt(endpoint_no),
        status: status ?? null,
        before_no: decodeCursor(cursor),
        limit: limit + 1
      })
      return page(rows, limit, (row) => row.delivery_no)
    }
  )
}

function deliveryRoutes(server: Server): void {
  server.get(
    '/webhooks/deliveries/:webhook_id',
    {
      config,
      schema: {
        operationId: 'read_webhook_delivery',
        tags,
        summary: 'A delivery with what is sent and every answer to it',
        params,
        response: { 200: schemas.delivery }
      }
    },
    async (request) => {
      const { context, organizationId } = actingFor(request)
      const found = await readDelivery(context.db, organizationId, request.params.webhook_id)
      if (found === null)
        throw new Problem({
          reason: 'not-found',
          details: 'Your organization has no such delivery; GET /webhooks/deliveries lists them.'
        })
      return found
    }
  )
  server.post(
    '/webhooks/deliveries/:webhook_id/redeliver',
    {
      config: { ...config, refuses: ['endpoint-disabled'] },
      schema: {
        operationId: 'redeliver_webhook',
        tags,
        summary: 'Send it again, under its webhook-id, whatever has become of it',
        params,
        response: { 202: z.object({ webhook_id: z.string() }) }
      }
    },
    async (request, reply) => {
      const { context, organizationId } = actingFor(request)
      const { webhook_id } = request.params
      requireAsked(await redeliver(context, organizationId, webhook_id))
      return reply.code(202).send({ webhook_id })
    }
  )
}
