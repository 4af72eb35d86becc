import { z } from 'zod'
import { listAccounts, listTransactions, readAccount } from '../../accounts/read-accounts.ts'
import type { Context } from '../../context.ts'
import { Problem } from '../../domain/problem.ts'
import { decodeCursor, page, pageQuery } from '../cursor.ts'
import { problems } from '../problems.ts'
import * as schemas from '../schemas.ts'
import type { Server } from '../server-type.ts'

const byIban = z.object({ iban: z.string().max(80).describe('Spaces and case do not matter.') })

/** Balances and statements. */
export function accountRoutes(server: Server, context: Context, organizationId: number): void {
  server.get(
    '/accounts',
    {
      schema: {
        tags: ['accounts'],
        summary: 'The accounts of your organization',
        response: { 200: schemas.listOf(schemas.account), ...problems(503) }
      }
    },
    async () => ({ data: await listAccounts(context.db, organizationId), has_more: false, next_cursor: null })
  )
  server.get(
    '/accounts/:iban',
    {
      schema: {
        tags: ['accounts'],
        summary: 'An account with its balance, what is reserved and what is available',
        params: byIban,
        response: { 200: schemas.account, ...problems(404, 503) }
      }
    },
    async (request) => requireAccount(context, organizationId, request.params.iban)
  )
  server.get(
    '/accounts/:iban/transactions',
    {
      schema: {
        tags: ['accounts'],
        summary: 'The statement of an account, newest line first',
        params: byIban,
        querystring: z.strictObject(pageQuery),
        response: { 200: schemas.listOf(schemas.transaction), ...problems(400, 404, 503) }
      }
    },
    async (request) => {
      const { limit, cursor } = request.query
      const before_line_no = decodeCursor(cursor)
      const { iban } = await requireAccount(context, organizationId, request.params.iban)
      const query = { organization_id: organizationId, iban, before_line_no, limit: limit + 1 }
      return page(await listTransactions(context.db, query), limit, (row) => row.line)
    }
  )
}

async function requireAccount(context: Context, organizationId: number, iban: string) {
  // U+0000 cannot be in any IBAN, and PostgreSQL does not take it even in a question.
  const account = iban.includes('\0') ? null : await readAccount(context.db, organizationId, iban)
  if (account === null)
    throw new Problem({
      reason: 'unknown-account',
      details: 'Your organization has no account with this IBAN; GET /accounts lists yours.'
    })
  return account
}
