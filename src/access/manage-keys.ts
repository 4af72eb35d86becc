import type { Context } from '../context.ts'
import type { Database } from '../database/database.ts'
import type { Tx } from '../database/statement.ts'
import { statement } from '../database/statement.ts'
import type { AuditType } from '../events/event-types.ts'
import { recordAct } from '../events/record-act.ts'
import { makeKey, type Environment } from './key-format.ts'
import type { Scope } from './scope.ts'

const insertKey = statement(
  'insert-key',
  {
    key_id: 'text',
    organization_id: 'int4?',
    environment: 'text',
    label: 'text',
    scopes: 'text[]',
    secret_hash: 'bytea',
    expires_at: 'timestamptz?',
    created_by: 'text'
  },
  { created_at: 'timestamptz' },
  `insert into api_key (key_id, organization_id, environment, label, scopes, secret_hash, expires_at, created_by)
   values (:key_id, :organization_id, :environment, :label, :scopes, :secret_hash, :expires_at, :created_by)
   returning created_at`
)

const selectKeys = statement(
  'select-keys',
  { organization_id: 'int4?', key_id: 'text?' },
  {
    key_id: 'text',
    environment: 'text',
    label: 'text',
    scopes: 'text[]',
    created_at: 'timestamptz',
    created_by: 'text',
    expires_at: 'timestamptz?',
    last_used_at: 'timestamptz?',
    revoked_at: 'timestamptz?'
  },
  `select key_id, environment, label, scopes, created_at, created_by, expires_at, last_used_at, revoked_at
   from api_key
   where organization_id is not distinct from :organization_id and (:key_id is null or key_id = :key_id)
   order by created_at desc, key_id`
)

/** The old key goes on for some hours, so that its users can change to the new one without a gap. */
const letExpire = statement(
  'let-key-expire',
  { organization_id: 'int4?', key_id: 'text', grace_hours: 'int4' },
  { expires_at: 'timestamptz' },
  `update api_key set expires_at = least(expires_at, now() + :grace_hours * interval '1 hour')
   where organization_id is not distinct from :organization_id and key_id = :key_id
   returning expires_at`
)

const revoke = statement(
  'revoke-key',
  { organization_id: 'int4?', key_id: 'text' },
  { revoked_at: 'timestamptz' },
  `update api_key set revoked_at = now()
   where organization_id is not distinct from :organization_id and key_id = :key_id and revoked_at is null
   returning revoked_at`
)

/** What a new key is to be. Without an organization it is an operator's, whose only scope is `operator`. */
interface NewKey {
  organization_id: number | null
  environment: Environment
  label: string
  scopes: Scope[]
  expires_at: Date | null
  created_by: string
  /** Of the request that asked for it, if one did. */
  trace_id?: string | null
}

/** Which key, of which organization or of the operators, and who changes it. */
interface ChangedKey {
  organization_id: number | null
  key_id: string
  changed_by: string
  trace_id?: string | null
}

type Chance = Pick<Context['random'], 'bytes'>

/** Makes a key and keeps its hash. `api_key` is the only time that its text is seen. */
export async function createKey(db: Database, wanted: NewKey, random: Chance) {
  return db.transaction(async (tx) => {
    const created = await addKey(tx, wanted, random)
    const { key_id, scopes, expires_at } = created
    await record(tx, { ...wanted, changed_by: wanted.created_by }, 'key.created', {
      key_id,
      scopes,
      expires_at
    })
    return created
  })
}

async function addKey(tx: Tx, wanted: NewKey, random: Chance) {
  const { text, key_id, secret_hash } = makeKey(wanted.environment, (count) => random.bytes(count))
  const [row] = await insertKey(tx, { ...wanted, key_id, secret_hash })
  if (!row) throw new Error('insert returned no row')
  const key = { ...wanted, ...row, key_id, last_used_at: null, revoked_at: null }
  return { ...describeKey(key), api_key: text }
}

/** Every key of an organization, or every operator's, the newest first; never their secrets. */
export async function listKeys(tx: Tx, organizationId: number | null) {
  const rows = await selectKeys(tx, { organization_id: organizationId, key_id: null })
  return rows.map(describeKey)
}

/** Makes a key that may do the same, and lets the old one expire after some hours; null if there is none, or it was revoked. */
export async function rotateKey(db: Database, old: ChangedKey & { grace_hours: number }, random: Chance) {
  return db.transaction(async (tx) => {
    const [row] = await selectKeys(tx, old)
    if (!row || row.revoked_at !== null) return null
    const { environment, label, scopes } = describeKey(row)
    const { organization_id, changed_by: created_by } = old
    const wanted = { organization_id, environment, label, scopes, expires_at: null, created_by }
    const created = await addKey(tx, wanted, random)
    const [expiring] = await letExpire(tx, old)
    await record(tx, old, 'key.rotated', {
      key_id: old.key_id,
      new_key_id: created.key_id,
      before: { expires_at: row.expires_at },
      after: { expires_at: expiring?.expires_at ?? null }
    })
    return created
  })
}

/** Ends a key for good, on every node with the next request; false if there is none. Repeating it is harmless. */
export async function revokeKey(db: Database, key: ChangedKey): Promise<boolean> {
  return db.transaction(async (tx) => {
    const [revoked] = await revoke(tx, key)
    if (!revoked) return (await selectKeys(tx, key)).length > 0
    const [before, after] = [{ revoked: false }, { revoked: true }]
    await record(tx, key, 'key.revoked', { key_id: key.key_id, before, after })
    return true
  })
}

function record(
  tx: Tx,
  { organization_id, changed_by, trace_id }: Omit<ChangedKey, 'key_id'>,
  type: AuditType,
  data: Record<string, unknown>
): Promise<void> {
  return recordAct(tx, { actor: changed_by, trace_id: trace_id ?? null }, { organization_id, type, data })
}

function describeKey(key: Awaited<ReturnType<typeof selectKeys>>[number]) {
  return {
    key_id: key.key_id,
    environment: key.environment as Environment,
    label: key.label,
    scopes: key.scopes as Scope[],
    created_at: key.created_at.toISOString(),
    created_by: key.created_by,
    expires_at: key.expires_at?.toISOString() ?? null,
    last_used_at: key.last_used_at?.toISOString() ?? null,
    revoked_at: key.revoked_at?.toISOString() ?? null
  }
}
