import { z } from 'zod'
import { closeAccount, limitAccount, openNewAccount } from '../../accounts/manage-account.ts'
import { readAccount } from '../../accounts/read-accounts.ts'
import { listKeys, revokeKey } from '../../access/manage-keys.ts'
import type { Context } from '../../context.ts'
import { parseAmount } from '../../domain/money.ts'
import { Problem } from '../../domain/problem.ts'
import {
  createOrganization,
  limitOrganization,
  listOrganizations,
  readOrganization
} from '../../organizations/organizations.ts'
import { actingIn, originOf } from '../acting.ts'
import {
  accountLimits,
  apiKey,
  newAccount,
  newApiKey,
  newKey,
  newOrganization,
  ofAccount,
  ofOrganization,
  organization,
  organizationLimits
} from '../admin-schemas.ts'
import { decodeCursor, page, pageQuery } from '../cursor.ts'
import { account, listOf } from '../schemas.ts'
import type { Server } from '../server-type.ts'
import { depositRoute } from './deposits.ts'
import { makeKeyFor } from './keys.ts'

const config = { scope: 'operator' } as const
const tags = ['operator']

/** Every organization with its accounts and keys, for whoever runs the installation. */
export function adminRoutes(server: Server, context: Context): void {
  organizationRoutes(server, context)
  accountRoutes(server, context)
  depositRoute(server, context)
  keyRoutes(server, context)
}

function organizationRoutes(server: Server, context: Context): void {
  server.get(
    '/admin/organizations',
    {
      config,
      schema: {
        operationId: 'list_organizations',
        tags,
        summary: 'The organizations',
        querystring: z.strictObject(pageQuery),
        response: { 200: listOf(organization) }
      }
    },
    async (request) => {
      const { limit, cursor } = request.query
      const after = Math.min(Number(decodeCursor(cursor) ?? 0), 2_147_483_647)
      return page(
        await listOrganizations(context.db, { after, limit: limit + 1 }),
        limit,
        (row) => row.organization_id
      )
    }
  )
  server.post(
    '/admin/organizations',
    {
      config,
      schema: {
        operationId: 'create_organization',
        tags,
        summary: 'Make an organization',
        body: newOrganization,
        response: { 201: organization }
      }
    },
    async (request, reply) => {
      const id = await createOrganization(context.db, request.body.name, originOf(request))
      return reply.code(201).send(await requireOrganization(context, id))
    }
  )
  server.put(
    '/admin/organizations/:organization_id/limits',
    {
      config,
      schema: {
        operationId: 'limit_organization',
        tags,
        summary: 'Set what an organization may ask for a minute',
        params: ofOrganization,
        body: organizationLimits,
        response: { 200: organization }
      }
    },
    async (request) => {
      const { organization_id } = request.params
      await limitOrganization(context.db, organization_id, request.body, originOf(request))
      return requireOrganization(context, organization_id)
    }
  )
}

function accountRoutes(server: Server, context: Context): void {
  server.post(
    '/admin/organizations/:organization_id/accounts',
    {
      config: { ...config, refuses: ['conflict'] },
      schema: {
        operationId: 'open_account',
        tags,
        summary: 'Open an account, in EUR',
        params: ofOrganization,
        body: newAccount,
        response: { 201: account }
      }
    },
    async (request, reply) => {
      const { organization_id } = request.params
      const { iban, bic, opening_balance } = request.body
      await requireOrganization(context, organization_id)
      const opening_minor = readOpening(opening_balance)
      const wanted = { organization_id, iban, bic, opening_minor }
      if (!(await openNewAccount(context.db, wanted, originOf(request))))
        throw new Problem({ reason: 'conflict', details: 'The organization has an account with this IBAN.' })
      return reply.code(201).send(await requireAccount(context, request.params.organization_id, iban))
    }
  )
  server.put(
    '/admin/organizations/:organization_id/accounts/:iban/limits',
    {
      config: { ...config, refuses: ['unknown-account'] },
      schema: {
        operationId: 'limit_account',
        tags,
        summary: 'Set what an account pays at most; what was accepted goes on',
        params: ofAccount,
        body: accountLimits,
        response: { 200: account }
      }
    },
    async (request) => {
      const { organization_id, iban } = request.params
      const { max_transfer_amount, max_bulk_amount, max_day_amount } = request.body
      await limitAccount(
        context.db,
        { organization_id, iban },
        {
          max_transfer_minor: readLimit(max_transfer_amount),
          max_bulk_minor: readLimit(max_bulk_amount),
          max_day_minor: readLimit(max_day_amount)
        },
        originOf(request)
      )
      return requireAccount(context, organization_id, iban)
    }
  )
  closeRoute(server, context)
}

function closeRoute(server: Server, context: Context): void {
  server.delete(
    '/admin/organizations/:organization_id/accounts/:iban',
    {
      config: { ...config, refuses: ['unknown-account', 'conflict'] },
      schema: {
        operationId: 'close_account',
        tags,
        summary: 'Close an account, for good; it has to be empty',
        params: ofAccount,
        response: { 204: z.null().describe('Closed') }
      }
    },
    async (request, reply) => {
      const { organization_id, iban } = request.params
      if (await closeAccount(context.db, { organization_id, iban }, originOf(request)))
        return reply.code(204).send(null)
      const { balance } = await requireAccount(context, organization_id, iban)
      throw new Problem({
        reason: 'conflict',
        details: `There is ${balance} EUR on the account; it can be closed when it is empty.`
      })
    }
  )
}

function keyRoutes(server: Server, context: Context): void {
  server.get(
    '/admin/organizations/:organization_id/keys',
    {
      config,
      schema: {
        operationId: 'list_organization_keys',
        tags,
        summary: 'The keys of an organization, never their secrets',
        params: ofOrganization,
        response: { 200: listOf(apiKey) }
      }
    },
    async (request) => {
      const { organization_id } = request.params
      await requireOrganization(context, organization_id)
      const { db } = actingIn(context, request, organization_id)
      return { data: await listKeys(db, organization_id), has_more: false, next_cursor: null }
    }
  )
  server.post(
    '/admin/organizations/:organization_id/keys',
    {
      config,
      schema: {
        operationId: 'create_organization_key',
        tags,
        summary: 'Make a key of an organization; it is shown this once',
        params: ofOrganization,
        body: newKey,
        response: { 201: newApiKey }
      }
    },
    async (request, reply) => {
      const { organization_id: organizationId } = request.params
      await requireOrganization(context, organizationId)
      const acting = { context: actingIn(context, request, organizationId), organizationId }
      return reply.code(201).send(await makeKeyFor(acting, request.body))
    }
  )
  revokeRoute(server, context)
}

function revokeRoute(server: Server, context: Context): void {
  server.delete(
    '/admin/organizations/:organization_id/keys/:key_id',
    {
      config,
      schema: {
        operationId: 'revoke_organization_key',
        tags,
        summary: 'Revoke a key, at once and for good',
        params: ofOrganization.extend({ key_id: z.string().max(40) }),
        response: { 204: z.null().describe('Revoked') }
      }
    },
    async (request, reply) => {
      const { organization_id, key_id } = request.params
      const { db, origin } = actingIn(context, request, organization_id)
      const key = { organization_id, key_id, changed_by: origin.actor, trace_id: origin.trace_id }
      if (await revokeKey(db, key)) return reply.code(204).send(null)
      throw new Problem({ reason: 'not-found', details: 'The organization has no such key.' })
    }
  )
}

/** An organization, or the answer that there is none. */
export async function requireOrganization(context: Context, organizationId: number) {
  const found = await readOrganization(context.db, organizationId)
  if (found === null)
    throw new Problem({ reason: 'not-found', details: 'There is no organization with this organization_id.' })
  return found
}

async function requireAccount(context: Context, organizationId: number, iban: string) {
  const found = await readAccount(context.db, organizationId, iban)
  if (found === null)
    throw new Problem({
      reason: 'unknown-account',
      details: 'The organization has no account with this IBAN.'
    })
  return found
}

function readLimit(amount: string | null): bigint | null {
  const parsed = amount === null ? null : parseAmount(amount, 'EUR')
  return parsed?.outcome === 'ok' ? parsed.amount_minor : null
}

function readOpening(amount: string | undefined): bigint {
  if (amount === undefined) return 0n
  const parsed = parseAmount(amount, 'EUR')
  if (parsed.outcome === 'ok') return parsed.amount_minor
  throw new Problem({
    reason: 'invalid-request',
    details: '/opening_balance: This has to be a positive decimal such as "5000.00"; leave it out for none.'
  })
}
