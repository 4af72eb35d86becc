import { z } from 'zod'
import type { Context } from '../../context.ts'
import { checkReadiness } from '../../monitoring/readiness.ts'
import type { Server } from '../server-type.ts'

const readiness = z.object({
  status: z.enum(['ready', 'not-ready']),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), details: z.string() }))
})

/** Whether the process lives, and whether it can do its work. */
export function healthRoutes(server: Server, context: Context): void {
  server.get(
    '/health/live',
    {
      config: { scope: 'public' },
      schema: {
        operationId: 'read_liveness',
        tags: ['health'],
        summary: 'The process answers',
        response: { 200: z.object({ status: z.literal('live') }) }
      }
    },
    () => ({ status: 'live' as const })
  )
  server.get(
    '/health/ready',
    {
      config: { scope: 'public' },
      schema: {
        operationId: 'read_readiness',
        tags: ['health'],
        summary: 'Whether requests can be taken, and if not, what is missing',
        response: { 200: readiness, 503: readiness }
      }
    },
    async (_, reply) => {
      const { ready, checks } = await checkReadiness(context)
      return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not-ready', checks })
    }
  )
}
