import type { Command } from 'commander'
import { deposit, depositReference } from '../accounts/deposit.ts'
import { closeAccount, limitAccount, openNewAccount } from '../accounts/manage-account.ts'
import { listAccounts } from '../accounts/read-accounts.ts'
import { findBicFault, findIbanFault, normaliseBic, normaliseIban } from '../domain/account-number.ts'
import { parseAmount } from '../domain/money.ts'
import { organizationOption, print, requireOrganization } from './options.ts'
import { UsageError } from './usage-error.ts'
import { withDatabase } from './with-database.ts'

/** Adds the commands that open accounts, list, fund, limit and close them. */
export function addAccountCommands(command: Command): void {
  command
    .command('open')
    .addOption(organizationOption())
    .requiredOption('--iban <iban>')
    .requiredOption('--bic <bic>')
    .option('--opening <amount>', 'opening balance in EUR, such as 5000.00')
    .action((options: { organization: number; iban: string; bic: string; opening?: string }) =>
      withDatabase(async ({ db, origin }) => {
        await requireOrganization(db, options.organization)
        if (
          findIbanFault(normaliseIban(options.iban)) !== null ||
          findBicFault(normaliseBic(options.bic)) !== null
        )
          throw new UsageError('--iban or --bic is not valid: check its letters and digits.')
        const opening_minor = options.opening === undefined ? 0n : readAmount(options.opening, '--opening')
        const account = {
          organization_id: options.organization,
          iban: options.iban,
          bic: options.bic,
          opening_minor
        }
        if (!(await openNewAccount(db, account, origin)))
          throw new UsageError(`Organization ${options.organization} has an account with this IBAN.`)
        ;(await listAccounts(db, options.organization)).forEach(print)
      })
    )
  command
    .command('list')
    .addOption(organizationOption())
    .action((options: { organization: number }) =>
      withDatabase(async ({ db }) => (await listAccounts(db, options.organization)).forEach(print))
    )
  addDeposit(command)
  addAccountChanges(command)
}

interface DepositOptions {
  organization: number
  amount: string
  reference: string
}

function addDeposit(command: Command): void {
  command
    .command('deposit')
    .description('add money to an account, once for each reference')
    .argument('<iban>')
    .addOption(organizationOption())
    .requiredOption('--amount <amount>', 'in EUR, such as 5000.00')
    .requiredOption(
      '--reference <reference>',
      'your own identifier: the same again changes nothing',
      readReference
    )
    .action((iban: string, { organization, amount, reference }: DepositOptions) =>
      withDatabase(async ({ db, origin }) => {
        const amount_minor = readAmount(amount, '--amount')
        const wanted = { organization_id: organization, iban, reference, amount_minor }
        const done = await deposit(db, wanted, origin)
        switch (done.outcome) {
          case 'deposited':
          case 'already-done':
            print(done.deposit)
            return
          case 'done-differently':
            throw new UsageError(
              `There is a deposit of ${done.amount} EUR with this reference: nothing was changed.`
            )
          case 'closed':
            throw new UsageError('The account is closed: nothing was changed.')
          case 'unknown-account':
            throw new UsageError('There is no such account: nothing was changed.')
        }
      })
    )
}

function readReference(text: string): string {
  if (depositReference.test(text)) return text
  throw new UsageError('--reference may have letters, digits and . _ : / - only, 64 at most.')
}

interface LimitOptions {
  organization: number
  iban: string
  transfer?: string
  bulk?: string
  day?: string
}

function addAccountChanges(command: Command): void {
  command
    .command('limit')
    .description('set what the account pays at most; a limit that is left out is none')
    .addOption(organizationOption())
    .requiredOption('--iban <iban>')
    .option('--transfer <amount>', 'most for one transfer, in EUR')
    .option('--bulk <amount>', 'most for one bulk')
    .option('--day <amount>', 'most that is submitted in a day (UTC)')
    .action(({ organization: organization_id, iban, transfer, bulk, day }: LimitOptions) =>
      withDatabase(async ({ db, origin }) => {
        const limit = (amount: string | undefined, option: string) =>
          amount === undefined ? null : readAmount(amount, option)
        const limits = {
          max_transfer_minor: limit(transfer, '--transfer'),
          max_bulk_minor: limit(bulk, '--bulk'),
          max_day_minor: limit(day, '--day')
        }
        if (!(await limitAccount(db, { organization_id, iban }, limits, origin)))
          throw new UsageError('There is no such account: nothing was changed.')
      })
    )
  command
    .command('close')
    .description('close an empty account for good')
    .addOption(organizationOption())
    .requiredOption('--iban <iban>')
    .action(({ organization: organization_id, iban }: { organization: number; iban: string }) =>
      withDatabase(async ({ db, origin }) => {
        if (!(await closeAccount(db, { organization_id, iban }, origin)))
          throw new UsageError('There is no such account, or it is not empty: nothing was changed.')
      })
    )
}

function readAmount(text: string, option: string): bigint {
  const parsed = parseAmount(text, 'EUR')
  if (parsed.outcome !== 'ok') throw new UsageError(`${option} has to be a positive amount such as 5000.00.`)
  return parsed.amount_minor
}
