import { z } from 'zod'
import { bulkStatuses } from '../../domain/status.ts'
import { listBulks } from '../../transfers/read-bulk.ts'
import { actingFor } from '../acting.ts'
import { decodeCursor, page, pageQuery } from '../cursor.ts'
import * as schemas from '../schemas.ts'
import type { Server } from '../server-type.ts'

const instant = z.union([z.iso.datetime({ offset: true }), z.iso.date()])

/** An organization's bulks. */
export function bulkListRoute(server: Server): void {
  server.get(
    '/transfers/bulk',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'list_bulks',
        tags: ['bulks'],
        summary: 'Your bulks, the newest first',
        description:
          'A bulk keeps its place whatever becomes of it: reading on by `next_cursor` neither skips nor repeats one. Bulks that are accepted meanwhile come before the first page.',
        querystring: z.strictObject({
          status: z.enum(bulkStatuses).optional().describe('Only bulks in this status.'),
          from: instant.optional().describe('Accepted then or later: RFC 3339, or a date (UTC).'),
          to: instant.optional().describe('Accepted before then: RFC 3339, or a date (UTC).'),
          ...pageQuery
        }),
        response: { 200: schemas.listOf(schemas.bulk) }
      }
    },
    async (request) => {
      const { context, organizationId } = actingFor(request)
      const { status, from, to, limit, cursor } = request.query
      const rows = await listBulks(context.db, {
        organization_id: organizationId,
        status: status ?? null,
        from: from === undefined ? null : new Date(from),
        to: to === undefined ? null : new Date(to),
        before_no: decodeCursor(cursor),
        limit: limit + 1
      })
      const { data, ...rest } = page(rows, limit, ({ place }) => place)
      return { data: data.map(({ bulk }) => bulk), ...rest }
    }
  )
}
