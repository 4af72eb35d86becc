import { randomBytes } from 'node:crypto'
import { type Command, Option } from 'commander'
import { createKey, listKeys, revokeKey, rotateKey } from '../access/manage-keys.ts'
import { isScope, organizationScopes } from '../access/scope.ts'
import { findAccountId } from '../accounts/manage-account.ts'
import type { Database } from '../database/database.ts'
import { findBulkNo, listHolds, placeHold, releaseHold, type Held } from '../execution/hold.ts'
import { addAccountCommands } from './account-commands.ts'
import { addAuditCommands } from './audit-commands.ts'
import { addOrganizationCommands } from './organization-commands.ts'
import { print, readBulkId, readText, readWholeNumber, requireOrganization } from './options.ts'
import { UsageError } from './usage-error.ts'
import { withDatabase } from './with-database.ts'

const chance = { bytes: (count: number) => randomBytes(count) }

/** Adds the commands with which an installation is looked after: organizations, accounts, keys and holds. */
export function addAdministration(program: Command): void {
  addOrganizationCommands(program.command('organization').description('organizations of this installation'))
  addAccountCommands(program.command('account').description('accounts of an organization'))
  addKeyCommands(program.command('key').description('API keys'))
  addAuditCommands(program.command('audit').description('who did what, and the proof of it'))
  addHoldCommands(
    program.command('hold').description('stop payments of a bulk, an account, an organization, or all')
  )
}

interface KeyOptions {
  organization?: number
  operator?: boolean
  label: string
  scopes: string
  live?: boolean
}

function addKeyCommands(command: Command): void {
  command
    .command('create')
    .description('make a key; it is shown this once')
    .addOption(new Option('--organization <number>', 'whose key').argParser(readWholeNumber))
    .option('--operator', 'an operator key, which belongs to no organization')
    .requiredOption('--label <text>', 'what it is for', readText)
    .option('--scopes <list>', organizationScopes.join(','), organizationScopes.join(','))
    .option('--live', 'for MODE=live; without it for MODE=test and demo')
    .action((options: KeyOptions) =>
      withDatabase(async ({ db, origin }) => {
        const { organization, operator, label, live } = options
        if ((organization === undefined) === (operator !== true))
          throw new UsageError('Say whose key it is: either --organization or --operator.')
        if (organization !== undefined) await requireOrganization(db, organization)
        const scopes = operator === true ? (['operator'] as const) : readScopes(options.scopes)
        const key = {
          organization_id: organization ?? null,
          environment: live === true ? ('live' as const) : ('test' as const),
          label,
          scopes: [...scopes],
          expires_at: null,
          created_by: origin.actor
        }
        print(await createKey(db, key, chance))
      })
    )
  addKeyChanges(command)
}

function addKeyChanges(command: Command): void {
  const whose = () =>
    new Option('--organization <number>', "whose key; without it an operator's").argParser(readWholeNumber)
  command
    .command('list')
    .addOption(whose())
    .action(({ organization }: { organization?: number }) =>
      withDatabase(async ({ db }) => (await listKeys(db, organization ?? null)).forEach(print))
    )
  command
    .command('rotate')
    .description('make a key that may do the same; the old one goes on for some hours')
    .argument('<key_id>')
    .addOption(whose())
    .addOption(new Option('--grace-hours <number>').argParser(readWholeNumber).default(24))
    .action((key_id: string, options: { organization?: number; graceHours: number }) =>
      withDatabase(async ({ db, origin }) => {
        const old = {
          organization_id: options.organization ?? null,
          key_id,
          grace_hours: options.graceHours,
          changed_by: origin.actor
        }
        const created = await rotateKey(db, old, chance)
        if (created === null) throw new UsageError('There is no such live key: nothing was changed.')
        print(created)
      })
    )
  command
    .command('revoke')
    .description('end a key for good, on every node at once')
    .argument('<key_id>')
    .addOption(whose())
    .action((key_id: string, { organization }: { organization?: number }) =>
      withDatabase(async ({ db, origin }) => {
        const key = { organization_id: organization ?? null, key_id, changed_by: origin.actor }
        if (!(await revokeKey(db, key))) throw new UsageError('There is no such key: nothing was changed.')
      })
    )
}

interface HoldOptions {
  organization?: number
  iban?: string
  bulk?: string
  bank?: boolean
  reason: string
  operator: string
}

function addHoldCommands(command: Command): void {
  const thing = (of: Command): Command =>
    of
      .addOption(new Option('--organization <number>', 'the whole organization').argParser(readWholeNumber))
      .option('--iban <iban>', 'one account of it')
      .option('--bulk <bulk_id>', 'one bulk of it', readBulkId)
      .option('--bank', 'everything')
      .requiredOption('--operator <name>', 'who decides', readText)
  command.command('list').action(() => withDatabase(async ({ db }) => (await listHolds(db)).forEach(print)))
  thing(command.command('place').description('send nothing more of this that is not claimed yet'))
    .requiredOption('--reason <text>', 'why', readText)
    .action((options: HoldOptions) =>
      withDatabase(async ({ db }) => {
        const by = { actor: `operator:${options.operator}`, reason: options.reason }
        const placed = await placeHold(db, await findHeld(db, options), by)
        if (placed === null) throw new UsageError('This is held already.')
        print(placed)
      })
    )
  thing(command.command('release').description('let it go on')).action((options: HoldOptions) =>
    withDatabase(async ({ db }) => {
      const released = await releaseHold(db, await findHeld(db, options), {
        actor: `operator:${options.operator}`
      })
      if (released === null) throw new UsageError('This is not held.')
      print(released)
    })
  )
}

async function findHeld(db: Database, { organization, iban, bulk, bank }: HoldOptions): Promise<Held> {
  const parts = [iban, bulk].filter((part) => part !== undefined).length
  if ((organization === undefined) === (bank !== true) || parts > (bank === true ? 0 : 1))
    throw new UsageError('Say what: --bank alone, or --organization, and perhaps --iban or --bulk of it.')
  if (organization === undefined) return { organization_id: null, account_id: null, bulk_no: null }
  await requireOrganization(db, organization)
  const account_id = iban === undefined ? null : await findAccountId(db, organization, iban)
  const bulk_no = bulk === undefined ? null : await findBulkNo(db, organization, bulk)
  if ((iban !== undefined && account_id === null) || (bulk !== undefined && bulk_no === null))
    throw new UsageError('The organization has no such account or bulk.')
  return { organization_id: organization, account_id, bulk_no }
}

function readScopes(list: string) {
  const words = list.split(',').map((word) => word.trim())
  const wrong = words.filter((word) => !isScope(word) || word === 'operator')
  if (wrong.length > 0)
    throw new UsageError(`--scopes: ${wrong.join(', ')} is none of ${organizationScopes.join(', ')}.`)
  return words.filter(isScope)
}
