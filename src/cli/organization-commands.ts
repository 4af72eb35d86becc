import { Argument, type Command } from 'commander'
import {
  createOrganization,
  listOrganizations,
  readOrganization,
  setPolicies,
  type OrganizationPolicies
} from '../organizations/organizations.ts'
import {
  payeePolicies,
  validationPolicies,
  type PayeePolicy,
  type ValidationPolicy
} from '../organizations/validation-profile.ts'
import { organizationOption, print, readText, requireOrganization } from './options.ts'
import { withDatabase } from './with-database.ts'

/** Adds the commands that make organizations, list them and set how their bulks are checked. */
export function addOrganizationCommands(command: Command): void {
  command
    .command('create')
    .argument('<name>', 'for people', readText)
    .action((name: string) =>
      withDatabase(async ({ db, origin }) => {
        print({ organization_id: await createOrganization(db, name, origin), name })
      })
    )
  command
    .command('list')
    .action(() =>
      withDatabase(async ({ db }) =>
        (await listOrganizations(db, { after: 0, limit: 10_000 })).forEach(print)
      )
    )
  command
    .command('payee-check')
    .description('set what becomes of bulks with payees who do not match')
    .addOption(organizationOption())
    .addArgument(new Argument('<policy>').choices(payeePolicies))
    .action((payee_check: PayeePolicy, { organization }: { organization: number }) =>
      setAndPrint(organization, { payee_check })
    )
  command
    .command('validation')
    .description('set how strictly the IBANs and BICs of bulks are checked')
    .addOption(organizationOption())
    .addArgument(new Argument('<policy>').choices(validationPolicies))
    .action((validation: ValidationPolicy, { organization }: { organization: number }) =>
      setAndPrint(organization, { validation })
    )
}

function setAndPrint(organization: number, policies: Partial<OrganizationPolicies>): Promise<void> {
  return withDatabase(async ({ db, origin }) => {
    await requireOrganization(db, organization)
    await setPolicies(db, organization, policies, origin)
    print(await readOrganization(db, organization))
  })
}
