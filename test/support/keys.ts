import { randomBytes } from 'node:crypto'
import { createKey } from '../../src/access/manage-keys.ts'
import { makeKey, type Environment } from '../../src/access/key-format.ts'
import { organizationScopes, type Scope } from '../../src/access/scope.ts'
import type { Database } from '../../src/database/database.ts'
import type { TestDatabase } from './database.ts'

interface KeyOptions {
  scopes?: Scope[]
  environment?: Environment
  revoked?: boolean
  expired?: boolean
}

/** Makes a key of an organization, or an operator's, and returns its text. */
export async function aKey(
  { sql }: TestDatabase,
  organizationId: number | null,
  options: KeyOptions = {}
): Promise<string> {
  const { environment = 'test', revoked = false, expired = false } = options
  const scopes = options.scopes ?? (organizationId === null ? ['operator'] : organizationScopes)
  const key = makeKey(environment, randomBytes)
  await sql(
    `insert into api_key (key_id, organization_id, environment, label, scopes, secret_hash, created_by, created_at,
       revoked_at, expires_at)
     values ($1, $2, $3, 'test', $4, $5, 'test', now() - interval '1 day',
       case when $6 then now() end, case when $7 then now() - interval '1 second' end)`,
    [key.key_id, organizationId, environment, scopes, key.secret_hash, revoked, expired]
  )
  return key.text
}

/** The same by the program's own act, which is recorded: all that is told of a new key. */
export function aCreatedKey(
  db: Database,
  organization_id: number | null,
  scopes: Scope[],
  environment: Environment = 'test'
) {
  const wanted = { organization_id, scopes, environment, label: 'Jane', expires_at: null, created_by: 'test' }
  return createKey(db, wanted, { bytes: (count) => randomBytes(count) })
}

/** The header with which a key or token is sent. */
export function bearer(credentials: string): { authorization: string } {
  return { authorization: `Bearer ${credentials}` }
}
