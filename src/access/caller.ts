import type { Context } from '../context.ts'
import { statement } from '../database/statement.ts'
import { readKey } from './key-format.ts'
import { isScope, organizationScopes, type Scope } from './scope.ts'

/** Who calls: what it may do, for which organization (none for an operator), and its name in the audit log. */
export interface Caller {
  organization_id: number | null
  scopes: Scope[]
  actor: string
  /** Those that its organization has of its own; null for whoever is not limited. */
  limits: OrganizationLimits | null
}

/** Null: the program's own. */
interface OrganizationLimits {
  requests_per_minute: number | null
  transfers_per_minute: number | null
}

export type Identification =
  | { outcome: 'known'; caller: Caller }
  /** `details` may be told to whoever calls. */
  | { outcome: 'refused'; details: string }
  | { outcome: 'unavailable'; details: string }

/** Tells who a bearer token of an identity provider stands for. */
export interface Tokens {
  identify(token: string): Promise<Identification>
}

const authenticateKey = statement(
  'authenticate-key',
  { key_id: 'text', secret_hash: 'bytea' },
  {
    organization_id: 'int4?',
    scopes: 'text[]',
    environment: 'text',
    expired: 'bool',
    revoked: 'bool',
    requests_per_minute: 'int4?',
    transfers_per_minute: 'int4?'
  },
  `select k.organization_id, k.scopes, k.environment, k.expired, k.revoked,
          o.requests_per_minute, o.transfers_per_minute
   from authenticate_key(:key_id, :secret_hash) k left join organization o using (organization_id)`
)

/** Whoever calls without credentials in demo mode, that is, on this machine: the demo organization, without limits. */
export function demoCaller(organizationId: number): Caller {
  return { organization_id: organizationId, scopes: organizationScopes, actor: 'demo', limits: null }
}

/** What a header `Authorization: Bearer <API key or JWT>` carries; null if it is none. */
export function credentialsOf(authorization: string): string | null {
  return /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? null
}

/**
 * Who sent these credentials. A key is looked up for every request, so that a revocation holds at once on every node.
 */
export async function identify(
  context: Context,
  credentials: string,
  tokens: Tokens | null
): Promise<Identification> {
  if (credentials.startsWith('bh_')) return identifyKey(context, credentials)
  return tokens === null
    ? refuse('This is not an API key of this installation: they begin with bh_test_ or bh_live_.')
    : tokens.identify(credentials)
}

async function identifyKey(context: Context, text: string): Promise<Identification> {
  const key = readKey(text)
  if (key === null) return refuse('The API key is not complete: a character is missing or mistyped.')
  const wanted = context.settings.MODE === 'live' ? 'live' : 'test'
  if (key.environment !== wanted) return refuse(`This installation takes keys that begin with bh_${wanted}_.`)
  const [found] = await authenticateKey(context.db, key)
  if (!found || found.environment !== key.environment) return refuse('There is no such API key.')
  if (found.revoked) return refuse('The API key was revoked; use another.')
  if (found.expired) return refuse('The API key has expired; use its successor or ask for a new one.')
  const scopes = found.scopes.filter((scope) => scope !== null).filter(isScope)
  const { organization_id, requests_per_minute, transfers_per_minute } = found
  const limits = { requests_per_minute, transfers_per_minute }
  return { outcome: 'known', caller: { organization_id, scopes, actor: `key:${key.key_id}`, limits } }
}

/** Whoever sent these credentials is not let in. */
export function refuse(details: string): { outcome: 'refused'; details: string } {
  return { outcome: 'refused', details }
}
