import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Context } from '../../context.ts'
import { Problem } from '../../domain/problem.ts'
import { BulkWatcher } from '../../events/bulk-watcher.ts'
import { actingFor } from '../acting.ts'
import { bulkId, bulkNotFound, requireBulkId } from '../bulk-id.ts'
import { tooMany } from '../limits.ts'
import type { Server } from '../server-type.ts'

/** A client that takes nothing for this long loses its connection, and may go on from where it was. */
const stalledMs = 30_000

/** A bulk, live. */
export function bulkEventsRoute(server: Server, context: Context): void {
  const watcher = new BulkWatcher(context)
  server.addHook('preClose', (done) => {
    watcher.close()
    done()
  })
  server.get(
    '/transfers/bulk/:bulk_id/events',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'follow_bulk',
        tags: ['bulks'],
        summary: 'What happens to a bulk, live',
        description:
          "Server-sent events: those of `GET /events`, of this bulk, with the bulk's version as id; comments keep the connection alive. It ends after the end of the bulk, and after ten minutes. Connect again with `Last-Event-ID` to go on (browsers do so by themselves); 204 says that there is nothing more to come.",
        params: bulkId,
        response: {
          200: {
            description: 'Events as they happen',
            content: { 'text/event-stream': { schema: z.string() } }
          },
          204: z.null().describe('The bulk is final, and everything was sent before')
        }
      }
    },
    async (request, reply) => {
      const { organizationId } = actingFor(request)
      const bulk_id = requireBulkId(request.params.bulk_id)
      const after = readLastEventId(request.headers['last-event-id'])
      const key = { organization_id: organizationId, bulk_id: bulk_id.toLowerCase() }
      const watching = await watcher.watch(key, after, goneSignal(reply))
      switch (watching.outcome) {
        case 'not-found':
          throw bulkNotFound()
        case 'too-many':
          throw tooMany(
            'Your organization watches as many bulks as it may; end some, or poll the status.',
            60
          )
        case 'over':
          return reply.code(204).send(null)
        case 'watching':
          return (
            reply
              .header('content-type', 'text/event-stream')
              .header('cache-control', 'no-store')
              .header('x-accel-buffering', 'no')
              // Kept open it would hold up a stop, which waits for connections that are idle only after it began.
              .header('connection', 'close')
              .send(Readable.from(takenFrom(watching.events, context, reply), { highWaterMark: 1 }) as never)
          )
      }
    }
  )
}

/** Is aborted when the answer has ended, whoever ended it; from the first if the client went before it was let in. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  if (reply.raw.destroyed) gone.abort()
  else reply.raw.once('close', () => gone.abort())
  return gone.signal
}

/** One event at a time is taken from the watcher, when the connection has taken the one before. */
async function* takenFrom(
  events: AsyncGenerator<string>,
  { clock }: Context,
  reply: FastifyReply
): AsyncGenerator<string> {
  for await (const text of events) {
    const taken = new AbortController()
    void clock.sleep(stalledMs, taken.signal).then(() => {
      if (!taken.signal.aborted) reply.raw.destroy()
    })
    try {
      yield text
    } finally {
      taken.abort()
    }
  }
}

function readLastEventId(id: string | string[] | undefined): number {
  if (id === undefined || id === '') return 0
  if (typeof id !== 'string' || !/^\d{1,9}$/.test(id))
    throw new Problem({
      reason: 'invalid-parameter',
      details: 'Last-Event-ID: this is not the id of an event; send the last one that you got, or none.'
    })
  return Number(id)
}
