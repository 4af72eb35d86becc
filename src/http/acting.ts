import type { FastifyRequest, RouteOptions } from 'fastify'
import {
  credentialsOf,
  demoCaller,
  identify,
  type Caller,
  type Identification,
  type Tokens
} from '../access/caller.ts'
import type { Limits } from '../access/limits.ts'
import type { Scope } from '../access/scope.ts'
import { shareCalls } from '../access/share-calls.ts'
import type { Context, Origin } from '../context.ts'
import { Problem, type Reason } from '../domain/problem.ts'
import { tooMany } from './limits.ts'
import { describeRefusals, refusalsOf } from './refusals.ts'
import type { Server } from './server-type.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a caller needs for this route. A route that says nothing does not start. */
    scope?: Scope | 'public'
    /** Reasons for refusals that do not follow from the shape of the route; at a ready server all of them. */
    refuses?: Reason[]
  }
  interface FastifyRequest {
    /** Who called and was let in; null on public routes. */
    caller: Caller | null
    /** Null as well for an operator, who belongs to no organization. */
    acting: Acting | null
  }
}

export interface Acting {
  context: Context
  organizationId: number
}

export interface AccessOptions {
  /** The organization that calls without credentials act for; null: every call needs credentials. */
  demoOrganizationId: number | null
  /** What reads bearer tokens of an identity provider; null: only API keys are known. */
  tokens: Tokens | null
}

/** Lets in only who may: default deny, before a body is read. */
export function guardRoutes(
  server: Server,
  context: Context,
  options: AccessOptions & { limits: Limits }
): void {
  server.decorateRequest('caller', null)
  server.decorateRequest('acting', null)
  server.addHook('onRoute', (route) => {
    // The pages of the documentation come from a plugin, which knows nothing of scopes.
    if (/^\/docs(\/|$)/.test(route.url)) route.config = { ...route.config, scope: 'public' }
    if (route.config?.scope === undefined)
      throw new Error(`${String(route.method)} ${route.url} does not say which scope it needs`)
    const { scope } = route.config
    const refuses = refusalsOf(route)
    route.config = { ...route.config, refuses }
    documentRoute(route, { scope, refuses })
  })
  // A flood under one key else holds every connection to the database with asking whose it is.
  const identifyCaller = shareCalls((credentials) => identify(context, credentials, options.tokens))
  const gate = { ...options, identify: identifyCaller }
  server.addHook('onRequest', async (request) => {
    const { scope } = request.routeOptions.config
    if (options.demoOrganizationId !== null) refuseOtherHosts(request)
    if (scope === undefined || scope === 'public') return
    const caller = await requireCaller(request, gate)
    if (!caller.scopes.includes(scope))
      throw new Problem({
        reason: 'forbidden',
        details: `This needs a key with the scope "${scope}"; yours has: ${caller.scopes.join(', ') || 'none'}.`
      })
    request.caller = caller
    const { organization_id: organizationId } = caller
    if (organizationId !== null)
      request.acting = { context: actingIn(context, request, organizationId), organizationId }
  })
}

/** What every route has in common need not be said by each. */
function documentRoute(
  route: RouteOptions,
  { scope, refuses }: { scope: Scope | 'public'; refuses: Reason[] }
): void {
  const { response: answers = {}, ...schema } = route.schema ?? {}
  const response = { ...describeRefusals(refuses), ...(answers as object) }
  if (scope === 'public') {
    route.schema = { ...schema, response, security: [] }
    return
  }
  route.schema = {
    ...schema,
    response,
    security: [{ bearer: [] }],
    description: [schema.description, `Needs the scope \`${scope}\`.`]
      .filter((text) => text !== undefined)
      .join('\n\n')
  }
}

interface Gate {
  demoOrganizationId: number | null
  limits: Limits
  identify: (credentials: string) => Promise<Identification>
}

async function requireCaller(
  request: FastifyRequest,
  { demoOrganizationId, limits, identify }: Gate
): Promise<Caller> {
  const { authorization } = request.headers
  if (authorization === undefined) {
    if (demoOrganizationId !== null) return demoCaller(demoOrganizationId)
    throw unauthorized('Send an API key as "Authorization: Bearer bh_...".')
  }
  const credentials = credentialsOf(authorization)
  if (credentials === null)
    throw unauthorized('Send the API key as "Authorization: Bearer bh_...", nothing before or after it.')
  const blocked_s = await limits.blockedFor(request.ip, credentials)
  if (blocked_s > 0)
    throw tooMany(
      `Too many wrong credentials came from your address; try again in ${blocked_s} s.`,
      blocked_s
    )
  const identification = await identify(credentials)
  switch (identification.outcome) {
    case 'known':
      limits.noteSuccess(request.ip, credentials)
      return identification.caller
    case 'unavailable':
      throw new Problem({ reason: 'unavailable', details: identification.details }, { 'retry-after': '5' })
    case 'refused':
      await limits.countFailure(request.ip, credentials)
      throw unauthorized(identification.details)
  }
}

function unauthorized(details: string): Problem {
  return new Problem({ reason: 'unauthorized', details }, { 'www-authenticate': 'Bearer realm="bulkhead"' })
}

/**
 * In demo mode whoever reaches the port may do everything. A web page can point a name of its own at this machine (DNS
 * rebinding), but it can't forge the Host that its browser sends.
 */
function refuseOtherHosts(request: FastifyRequest): void {
  if (/^(localhost|127(\.\d+){3}|\[::1\])?(:\d+)?$/i.test(request.headers.host ?? '')) return
  throw new Problem({
    reason: 'forbidden',
    details: 'Demo mode answers only as localhost or 127.0.0.1; call it by that name.'
  })
}

/** What a request does for the organization that it acts for: restricted to it, in its trace and under its name. */
export function actingFor(request: FastifyRequest): Acting {
  const { acting } = request
  if (acting === null)
    throw new Problem({
      reason: 'forbidden',
      details: 'An operator key belongs to no organization; use a key of the organization.'
    })
  return acting
}

/** The same for an operator, who names the organization. */
export function actingIn(context: Context, request: FastifyRequest, organizationId: number): Context {
  return {
    ...context,
    db: context.db.forOrganization(organizationId),
    log: context.log.child({ trace_id: request.id }),
    origin: originOf(request)
  }
}

/** Who asks, and in which trace. */
export function originOf(request: FastifyRequest): Origin {
  return { actor: request.caller?.actor ?? 'nobody', trace_id: request.id }
}
