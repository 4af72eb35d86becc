import { z } from 'zod'
import { eventTypes, type EventType } from '../../events/event-types.ts'
import { listEvents } from '../../events/read-events.ts'
import { actingFor } from '../acting.ts'
import { pageQuery } from '../cursor.ts'
import * as schemas from '../schemas.ts'
import type { Server } from '../server-type.ts'

const meanings = Object.entries(eventTypes).map(([type, meaning]) => `- \`${type}\`: ${meaning}`)

/** Everything that happened, in one order. */
export function eventRoutes(server: Server): void {
  server.get(
    '/events',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'list_events',
        tags: ['events'],
        summary: 'Everything that happened, in one order that never changes',
        description: [
          'Positions only grow, and nothing comes in between later: once you have seen one, none before it is missing, now or later. What administrators do has positions as well, and is told by GET /audit. Keep `next_after` together with what you did, and give it as `after` the next time; an event that you read again is the same to the byte.',
          '',
          ...meanings
        ].join('\n'),
        querystring: z.strictObject({
          after: z.coerce
            .number()
            .int()
            .min(0)
            .default(0)
            .describe('next_after of the answer before; 0 for the beginning.'),
          limit: pageQuery.limit.describe('How many events are looked at, 1..1000.'),
          type: z
            .enum(Object.keys(eventTypes) as [EventType, ...EventType[]])
            .optional()
            .describe('Only events of this type, of those that are looked at.')
        }),
        response: { 200: schemas.eventPage }
      }
    },
    async (request) => {
      const { context, organizationId } = actingFor(request)
      const { after, limit, type } = request.query
      return listEvents(context.db, {
        organization_id: organizationId,
        after: BigInt(after),
        limit,
        type: type ?? null
      })
    }
  )
}
