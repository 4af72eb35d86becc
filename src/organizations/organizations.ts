import { openClearingAccount } from '../accounts/open-account.ts'
import type { Origin } from '../context.ts'
import type { Database } from '../database/database.ts'
import type { Tx } from '../database/statement.ts'
import { statement } from '../database/statement.ts'
import { recordAct } from '../events/record-act.ts'
import type { PayeePolicy, ValidationPolicy } from './validation-profile.ts'

const insertOrganization = statement(
  'create-organization',
  { name: 'text' },
  { organization_id: 'int4' },
  `insert into organization (name) values (:name) returning organization_id`
)

const selectOrganizations = statement(
  'select-organizations',
  { organization_id: 'int4?', after: 'int4', limit: 'int4' },
  {
    organization_id: 'int4',
    name: 'text',
    created_at: 'timestamptz',
    requests_per_minute: 'int4?',
    transfers_per_minute: 'int4?',
    validation: 'text',
    payee_check: 'text',
    held: 'bool'
  },
  `select organization_id, name, created_at, requests_per_minute, transfers_per_minute, validation, payee_check,
          exists (select from hold h where h.organization_id = o.organization_id and h.released_at is null
                    and h.account_id is null and h.bulk_no is null) as held
   from organization o
   where (:organization_id is null or organization_id = :organization_id) and organization_id > :after
   order by organization_id limit :limit`
)

/** What an administrator sets of an organization. */
const profile = {
  requests_per_minute: 'int4?',
  transfers_per_minute: 'int4?',
  validation: 'text',
  payee_check: 'text'
} as const

const lockProfile = statement(
  'lock-organization-profile',
  { organization_id: 'int4' },
  profile,
  `select requests_per_minute, transfers_per_minute, validation, payee_check from organization
   where organization_id = :organization_id for no key update`
)

const updateProfile = statement(
  'update-organization-profile',
  { organization_id: 'int4', ...profile },
  { organization_id: 'int4' },
  `update organization set requests_per_minute = :requests_per_minute, transfers_per_minute = :transfers_per_minute,
     validation = :validation, payee_check = :payee_check
   where organization_id = :organization_id returning organization_id`
)

/** Makes an organization with the other side of its books; it has no account yet. */
export async function createOrganization(db: Database, name: string, origin: Origin): Promise<number> {
  return db.transaction(async (tx) => {
    const organization_id = await addOrganization(tx, name)
    const act = { type: 'organization.created', data: { organization_id } } as const
    await recordAct(tx, origin, { ...act, organization_id })
    // Its own log could be gone with it; the operators' tells that it was made.
    await recordAct(tx, origin, { ...act, organization_id: null })
    return organization_id
  })
}

/** The same by nobody's act, such as the demo's: the audit log begins with what somebody does. */
export async function addOrganization(tx: Tx, name: string): Promise<number> {
  const [created] = await insertOrganization(tx, { name })
  if (!created) throw new Error('insert returned no row')
  await openClearingAccount(tx, { organization_id: created.organization_id, currency: 'EUR' })
  return created.organization_id
}

/** Organizations in the order in which they were made. */
export async function listOrganizations(tx: Tx, { after, limit }: { after: number; limit: number }) {
  const rows = await selectOrganizations(tx, { organization_id: null, after, limit })
  return rows.map(describeOrganization)
}

/** One organization, or null. */
export async function readOrganization(tx: Tx, organizationId: number) {
  const [row] = await selectOrganizations(tx, { organization_id: organizationId, after: 0, limit: 1 })
  return row ? describeOrganization(row) : null
}

export interface OrganizationPolicies {
  validation: ValidationPolicy
  payee_check: PayeePolicy
}

/** Sets what an organization may ask for a minute; null is the program's own limit. False if there is none. */
export function limitOrganization(
  db: Database,
  organizationId: number,
  limits: { requests_per_minute: number | null; transfers_per_minute: number | null },
  origin: Origin
): Promise<boolean> {
  return changeProfile(db, { organizationId, change: limits, type: 'organization.limited' }, origin)
}

/** Sets how an organization's bulks and their payees are checked, from the next bulk on. False if there is none. */
export function setPolicies(
  db: Database,
  organizationId: number,
  policies: Partial<OrganizationPolicies>,
  origin: Origin
): Promise<boolean> {
  return changeProfile(db, { organizationId, change: policies, type: 'organization.policy_changed' }, origin)
}

type Profile = Awaited<ReturnType<typeof lockProfile>>[number]

async function changeProfile(
  db: Database,
  wanted: {
    organizationId: number
    change: Partial<Profile>
    type: 'organization.limited' | 'organization.policy_changed'
  },
  origin: Origin
): Promise<boolean> {
  const { organizationId: organization_id, change, type } = wanted
  return db.transaction(async (tx) => {
    const [profile] = await lockProfile(tx, { organization_id })
    if (!profile) return false
    await updateProfile(tx, { organization_id, ...profile, ...change })
    const names = Object.keys(change) as (keyof Profile)[]
    const before = Object.fromEntries(names.map((name) => [name, profile[name]]))
    await recordAct(tx, origin, { organization_id, type, data: { before, after: change } })
    return true
  })
}

function describeOrganization(row: Awaited<ReturnType<typeof selectOrganizations>>[number]) {
  return {
    ...row,
    validation: row.validation as ValidationPolicy,
    payee_check: row.payee_check as PayeePolicy,
    status: row.held ? ('BLOCKED' as const) : ('ACTIVE' as const),
    created_at: row.created_at.toISOString()
  }
}
