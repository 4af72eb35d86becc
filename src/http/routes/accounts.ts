import { z } from 'zod'
import { listAccounts, listTransactions, readAccount } from '../../accounts/read-accounts.ts'
import { Problem } from '../../domain/problem.ts'
import { actingFor, type Acting } from '../acting.ts'
import { decodeCursor, page, pageQuery } from '../cursor.ts'
import * as schemas from '../schemas.ts'
import type { Server } from '../server-type.ts'

const byIban = z.object({ iban: z.string().max(80).describe('Spaces and case do not matter.') })

/** Balances and statements. */
export function accountRoutes(server: Server): void {
  server.get(
    '/accounts',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'list_accounts',
        tags: ['accounts'],
        summary: 'The accounts of your organization',
        response: { 200: schemas.listOf(schemas.account) }
      }
    },
    async (request) => {
      const { context, organizationId } = actingFor(request)
      return { data: await listAccounts(context.db, organizationId), has_more: false, next_cursor: null }
    }
  )
  server.get(
    '/accounts/:iban',
    {
      config: { scope: 'read', refuses: ['unknown-account'] },
      schema: {
        operationId: 'read_account',
        tags: ['accounts'],
        summary: 'An account with its balance, what is reserved and what is available',
        params: byIban,
        response: { 200: schemas.account }
      }
    },
    async (request) => requireAccount(actingFor(request), request.params.iban)
  )
  server.get(
    '/accounts/:iban/transactions',
    {
      config: { scope: 'read', refuses: ['unknown-account'] },
      schema: {
        operationId: 'list_transactions',
        tags: ['accounts'],
        summary: 'The statement of an account, newest line first',
        params: byIban,
        querystring: z.strictObject(pageQuery),
        response: { 200: schemas.listOf(schemas.transaction) }
      }
    },
    async (request) => {
      const { context, organizationId } = actingFor(request)
      const { limit, cursor } = request.query
      const before_line_no = decodeCursor(cursor)
      const { iban } = await requireAccount(actingFor(request), request.params.iban)
      const query = { organization_id: organizationId, iban, before_line_no, limit: limit + 1 }
      return page(await listTransactions(context.db, query), limit, (row) => row.line)
    }
  )
}

async function requireAccount({ context, organizationId }: Acting, iban: string) {
  const account = await readAccount(context.db, organizationId, iban)
  if (account === null)
    throw new Problem({
      reason: 'unknown-account',
      details: 'Your organization has no account with this IBAN; GET /accounts lists yours.'
    })
  return account
}
