import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Tx } from '../../database/statement.ts'
import { auditTypes, eventTypes, type AuditType, type EventType } from '../../events/event-types.ts'
import { pagesOfAudit, readAudit, type AuditQuery } from '../../events/audit-log.ts'
import { operatorsLog } from '../../events/record-act.ts'
import type { Context } from '../../context.ts'
import { actingFor } from '../acting.ts'
import { pageQuery } from '../cursor.ts'
import { auditPage } from '../schemas.ts'
import type { Server } from '../server-type.ts'

const meanings = Object.entries(auditTypes).map(([type, meaning]) => `- \`${type}\`: ${meaning}`)
const types = Object.keys({ ...eventTypes, ...auditTypes }) as [
  EventType | AuditType,
  ...(EventType | AuditType)[]
]

const querystring = z.strictObject({
  after: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .describe('next_after of the answer before; 0 for the beginning.'),
  limit: pageQuery.limit.describe('How many records are looked at, 1..1000; not of format=jsonl.'),
  type: z.enum(types).optional().describe('Only records of this type, of those that are looked at.'),
  actor: z.string().min(1).max(300).optional().describe('Only records of this actor, likewise.'),
  format: z
    .enum(['json', 'jsonl'])
    .default('json')
    .describe('jsonl: everything behind after, a record a line.')
})

const response = {
  200: {
    description: 'A page, or JSON lines',
    content: {
      'application/json': { schema: auditPage },
      'application/jsonl': { schema: z.string() }
    }
  }
}

const proof =
  'Each hash is the SHA-256 of the hash before it and of `content`, so that nothing can be changed, left out or put in between without it showing; docs/audit.md says how to check that.'

/** Who did what, in one order that can be proven: of an organization, and of what is about none. */
export function auditRoutes(server: Server, context: Context): void {
  server.get(
    '/audit',
    {
      config: { scope: 'audit' },
      schema: {
        tags: ['audit'],
        operationId: 'list_audit',
        summary: 'Who did what: every event and every act of an administrator, chained by hashes',
        description: [`${proof} Besides the types of GET /events:`, '', ...meanings].join('\n'),
        querystring,
        response
      }
    },
    async (request, reply) => {
      const { context, organizationId: organization_id } = actingFor(request)
      return answer(reply, context.db, { organization_id, ...request.query })
    }
  )
  server.get(
    '/admin/audit',
    {
      config: { scope: 'operator' },
      schema: {
        tags: ['operator'],
        operationId: 'list_operator_audit',
        summary: 'Who did what to no organization: operator keys, holds of the bank, new organizations',
        description: proof,
        querystring,
        response
      }
    },
    async (request, reply) => answer(reply, context.db, { organization_id: operatorsLog, ...request.query })
  )
}

type Asked = z.infer<typeof querystring> & { organization_id: number }

async function answer(reply: FastifyReply, tx: Tx, { format, after, limit, ...rest }: Asked) {
  const query = { ...rest, after: BigInt(after) }
  if (format === 'json') return readAudit(tx, { ...query, limit })
  return reply
    .header('content-type', 'application/jsonl')
    .header('content-disposition', 'attachment; filename="audit.jsonl"')
    .send(Readable.from(await openExport(tx, query)))
}

/** The first page is read before the answer begins: what is refused is refused by its status. */
async function openExport(tx: Tx, query: Omit<AuditQuery, 'limit'>): Promise<AsyncGenerator<string>> {
  const pages = pagesOfAudit(tx, query)
  const first = await pages.next()
  return writeLines(first.done === true ? [] : first.value, pages)
}

async function* writeLines(first: unknown[], rest: AsyncGenerator<unknown[]>): AsyncGenerator<string> {
  const lines = (page: unknown[]) => page.map((record) => `${JSON.stringify(record)}\n`).join('')
  yield lines(first)
  for await (const page of rest) yield lines(page)
}
