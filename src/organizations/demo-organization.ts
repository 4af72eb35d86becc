import type { Database } from '../database/database.ts'
import { statement } from '../database/statement.ts'
import { openAccount } from '../accounts/open-account.ts'
import { addOrganization } from './organizations.ts'

/** The demo organization. The first account is the one of the curl examples; the second is rich enough for a payroll. */
export const demoOrganization = {
  name: 'ACME Corp',
  bic: 'OIVUSCLQXXX',
  accounts: [
    { iban: 'FR10474608000002006107XXXXX', opening_minor: 100_000_00n },
    { iban: 'FR7630006000011234567890189', opening_minor: 10_000_000_00n }
  ]
} as const

/** The lock makes two first starts at once wait for each other, so that there is one demo organization. */
const lockOrganizations = statement(
  'lock-organizations',
  {},
  { locked: 'text?' },
  `select pg_advisory_xact_lock(hashtext('bulkhead.demo-organization'))::text as locked`
)

const findOrganization = statement(
  'find-organization',
  { name: 'text' },
  { organization_id: 'int4' },
  `select organization_id from organization where name = :name order by organization_id limit 1`
)

/** Makes the demo organization with its accounts and opening balances, once; later calls change nothing. */
export async function ensureDemoOrganization(db: Database): Promise<number> {
  return db.transaction(async (tx) => {
    await lockOrganizations(tx, {})
    const [existing] = await findOrganization(tx, { name: demoOrganization.name })
    if (existing) return existing.organization_id
    const organization_id = await addOrganization(tx, demoOrganization.name)
    for (const { iban, opening_minor } of demoOrganization.accounts)
      await openAccount(tx, {
        organization_id,
        iban,
        bic: demoOrganization.bic,
        currency: 'EUR',
        opening_minor
      })
    return organization_id
  })
}
