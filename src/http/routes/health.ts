import { z } from 'zod'
import type { Context } from '../../context.ts'
import { statement } from '../../database/statement.ts'
import type { Server } from '../server-type.ts'

const readiness = z.object({
  status: z.enum(['ready', 'not-ready']),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), details: z.string() }))
})

const ping = statement(
  'ping',
  {},
  { migrations: 'int4' },
  `select count(*)::int4 as migrations from migration`
)

/** Whether the process lives, and whether it can do its work. */
export function healthRoutes(server: Server, context: Context): void {
  server.get(
    '/health/live',
    {
      schema: {
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
      schema: {
        tags: ['health'],
        summary: 'Whether requests can be taken, and if not, what is missing',
        response: { 200: readiness, 503: readiness }
      }
    },
    async (_, reply) => {
      const [database, bank] = await Promise.all([checkDatabase(context), context.bank.ping()])
      const checks = [
        { name: 'database', ...database },
        // Without the bank bulks are still accepted and kept; so it does not make the API unready.
        {
          name: 'bank',
          ok: bank,
          details: bank ? 'answers' : 'does not answer; transfers wait until it does'
        }
      ]
      const ready = database.ok
      return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not-ready', checks })
    }
  )
}

async function checkDatabase(context: Context): Promise<{ ok: boolean; details: string }> {
  try {
    const [row] = await ping(context.db, {})
    return { ok: true, details: `answers; ${row?.migrations ?? 0} migrations done` }
  } catch (error) {
    context.log.warn({ err: error }, 'not ready: the database does not answer')
    return { ok: false, details: 'does not answer' }
  }
}
