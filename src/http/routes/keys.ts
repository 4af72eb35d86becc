import { z } from 'zod'
import { createKey, listKeys, revokeKey, rotateKey } from '../../access/manage-keys.ts'
import type { Environment } from '../../access/key-format.ts'
import type { Context } from '../../context.ts'
import { Problem } from '../../domain/problem.ts'
import { actingFor, type Acting } from '../acting.ts'
import { apiKey, newApiKey, newKey, rotation } from '../admin-schemas.ts'
import { listOf } from '../schemas.ts'
import type { Server } from '../server-type.ts'

const keyId = z.object({ key_id: z.string().max(40) })
/** An organization's own keys. */
export function keyRoutes(server: Server): void {
  server.get(
    '/keys',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'list_keys',
        tags: ['keys'],
        summary: "Your organization's API keys, the newest first; never their secrets",
        response: { 200: listOf(apiKey) }
      }
    },
    async (request) => {
      const { context, organizationId } = actingFor(request)
      return { data: await listKeys(context.db, organizationId), has_more: false, next_cursor: null }
    }
  )
  server.post(
    '/keys',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'create_key',
        tags: ['keys'],
        summary: 'Make an API key; it is shown this once',
        body: newKey,
        response: { 201: newApiKey }
      }
    },
    async (request, reply) => reply.code(201).send(await makeKeyFor(actingFor(request), request.body))
  )
  changeRoutes(server)
}

function changeRoutes(server: Server): void {
  server.post(
    '/keys/:key_id/rotate',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'rotate_key',
        tags: ['keys'],
        summary: 'Make a key that may do the same; the old one goes on for some hours',
        params: keyId,
        body: rotation,
        response: { 201: newApiKey }
      }
    },
    async (request, reply) => {
      const { context, organizationId: organization_id } = actingFor(request)
      const old = {
        organization_id,
        key_id: request.params.key_id,
        grace_hours: request.body?.grace_hours ?? 24,
        changed_by: context.origin.actor,
        trace_id: context.origin.trace_id
      }
      const created = await rotateKey(context.db, old, context.random)
      if (created === null) throw keyNotFound()
      return reply.code(201).send(created)
    }
  )
  server.delete(
    '/keys/:key_id',
    {
      config: { scope: 'admin' },
      schema: {
        operationId: 'revoke_key',
        tags: ['keys'],
        summary: 'Revoke a key, at once and for good',
        params: keyId,
        response: { 204: z.null().describe('Revoked') }
      }
    },
    async (request, reply) => {
      const { context, organizationId: organization_id } = actingFor(request)
      const revoked = await revokeKey(context.db, {
        organization_id,
        key_id: request.params.key_id,
        changed_by: context.origin.actor,
        trace_id: context.origin.trace_id
      })
      if (!revoked) throw keyNotFound()
      return reply.code(204).send(null)
    }
  )
}

/** Makes a key of an organization as it was asked for, for the kind of bank that this installation has. */
export function makeKeyFor({ context, organizationId }: Acting, wanted: z.infer<typeof newKey>) {
  return createKey(
    context.db,
    {
      organization_id: organizationId,
      environment: environmentOf(context),
      label: wanted.label,
      scopes: wanted.scopes,
      expires_at: wanted.expires_at === undefined ? null : new Date(wanted.expires_at),
      created_by: context.origin.actor,
      trace_id: context.origin.trace_id
    },
    context.random
  )
}

function environmentOf({ settings }: Context): Environment {
  return settings.MODE === 'live' ? 'live' : 'test'
}

function keyNotFound(): Problem {
  return new Problem({
    reason: 'not-found',
    details: 'Your organization has no such live key; GET /keys lists yours.'
  })
}
