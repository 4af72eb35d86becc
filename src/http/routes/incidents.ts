import { z } from 'zod'
import { incidentKinds, listIncidents } from '../../incidents/incidents.ts'
import { actingFor } from '../acting.ts'
import { decodeCursor, page, pageQuery } from '../cursor.ts'
import * as schemas from '../schemas.ts'
import type { Server } from '../server-type.ts'

const meanings = Object.entries(incidentKinds).map(([kind, meaning]) => `- \`${kind}\`: ${meaning}`)

/** What somebody has to look into. */
export function incidentRoutes(server: Server): void {
  server.get(
    '/incidents',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'list_incidents',
        tags: ['incidents'],
        summary: 'What does not agree and what is stuck, the newest first',
        description: meanings.join('\n'),
        querystring: z.strictObject({
          open: z
            .enum(['true', 'false'])
            .optional()
            .describe('Only those that are open, or only the others.'),
          ...pageQuery
        }),
        response: { 200: schemas.listOf(schemas.incident) }
      }
    },
    async (request) => {
      const { context, organizationId } = actingFor(request)
      const { open, limit, cursor } = request.query
      const rows = await listIncidents(context.db, {
        organization_id: organizationId,
        before_no: decodeCursor(cursor),
        open: open === undefined ? null : open === 'true',
        limit: limit + 1
      })
      return page(rows, limit, (row) => row.incident_no)
    }
  )
}
