import { z } from 'zod'
import type { Context } from '../../context.ts'
import { createExposition } from '../../monitoring/exposition.ts'
import type { Server } from '../server-type.ts'

/** Everything that is measured: by this process, and read from the database at every scrape. */
export function metricsRoute(server: Server, context: Context): void {
  const expose = createExposition(context)
  server.get(
    '/metrics',
    {
      config: { scope: 'public' },
      schema: {
        operationId: 'read_metrics',
        tags: ['health'],
        summary: 'Measurements for Prometheus',
        description:
          'What this process has counted, and the facts of the installation (the same at every process). Without the database the facts are missing and `bulkhead_database_up` is 0.',
        response: {
          200: { description: 'Prometheus text format', content: { 'text/plain': { schema: z.string() } } }
        }
      }
    },
    async (_, reply) =>
      reply
        .header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
        .serializer((payload: unknown) => String(payload))
        .send(await expose())
  )
}
