import type { Origin } from '../context.ts'
import type { Database } from '../database/database.ts'
import { isUniqueViolation } from '../database/errors.ts'
import type { Tx } from '../database/statement.ts'
import { statement } from '../database/statement.ts'
import { maskIban, normaliseBic, normaliseIban } from '../domain/account-number.ts'
import { formatAmount } from '../domain/money.ts'
import type { AuditType } from '../events/event-types.ts'
import { recordAct } from '../events/record-act.ts'
import { openAccount } from './open-account.ts'

/** Most that an account pays, in minor units; null is no limit. */
interface AccountLimits {
  max_transfer_minor: bigint | null
  max_bulk_minor: bigint | null
  max_day_minor: bigint | null
}

/** Locks an account that is to be changed, so that what it was before is what it was. */
const lockAccount = statement(
  'lock-account-to-change',
  { organization_id: 'int4', iban: 'text' },
  {
    closed: 'bool',
    max_transfer_minor: 'int8?',
    max_bulk_minor: 'int8?',
    max_day_minor: 'int8?'
  },
  `select closed_at is not null as closed, max_transfer_minor, max_bulk_minor, max_day_minor
   from account where organization_id = :organization_id and iban = :iban for no key update`
)

const updateLimits = statement(
  'set-account-limits',
  {
    organization_id: 'int4',
    iban: 'text',
    max_transfer_minor: 'int8?',
    max_bulk_minor: 'int8?',
    max_day_minor: 'int8?'
  },
  { account_id: 'int4' },
  `update account set max_transfer_minor = :max_transfer_minor, max_bulk_minor = :max_bulk_minor,
     max_day_minor = :max_day_minor
   where organization_id = :organization_id and iban = :iban returning account_id`
)

const closeEmpty = statement(
  'close-account',
  { organization_id: 'int4', iban: 'text' },
  { account_id: 'int4' },
  `update account set closed_at = now()
   where organization_id = :organization_id and iban = :iban and closed_at is null
     and balance_minor = 0 and reserved_minor = 0
   returning account_id`
)

const findAccount = statement(
  'find-account',
  { organization_id: 'int4', iban: 'text' },
  { account_id: 'int4' },
  `select account_id from account where organization_id = :organization_id and iban = :iban`
)

/** The number of an account, or null. */
export async function findAccountId(tx: Tx, organizationId: number, iban: string): Promise<number | null> {
  const [row] = await findAccount(tx, { organization_id: organizationId, iban: normaliseIban(iban) })
  return row?.account_id ?? null
}

/** An account of an organization. */
interface AccountKey {
  organization_id: number
  iban: string
}

/** Opens an account in EUR with an opening balance; false if the organization has one with this IBAN. */
export async function openNewAccount(
  db: Database,
  account: AccountKey & { bic: string; opening_minor: bigint },
  origin: Origin
): Promise<boolean> {
  const { organization_id, bic, opening_minor } = account
  const iban = normaliseIban(account.iban)
  try {
    return await db.transaction(async (tx) => {
      await openAccount(tx, { ...account, iban, bic: normaliseBic(bic), currency: 'EUR' })
      const opening_balance = formatAmount(opening_minor, 'EUR')
      await record(tx, origin, { organization_id, iban, type: 'account.opened', data: { opening_balance } })
      return true
    })
  } catch (error) {
    if (isUniqueViolation(error, 'account_organization_id_iban_key')) return false
    throw error
  }
}

/** Sets every limit of an account at once; false if there is no such account. Bulks that were accepted go on. */
export async function limitAccount(
  db: Database,
  account: AccountKey,
  limits: AccountLimits,
  origin: Origin
): Promise<boolean> {
  const key = { organization_id: account.organization_id, iban: normaliseIban(account.iban) }
  return db.transaction(async (tx) => {
    const [before] = await lockAccount(tx, key)
    if (!before) return false
    await updateLimits(tx, { ...key, ...limits })
    const data = { before: describeLimits(before), after: describeLimits(limits) }
    await record(tx, origin, { ...key, type: 'account.limited', data })
    return true
  })
}

/** Closes an account for good; false if there is none, or anything is on it or reserved. Repeating it is harmless. */
export async function closeAccount(db: Database, account: AccountKey, origin: Origin): Promise<boolean> {
  const key = { organization_id: account.organization_id, iban: normaliseIban(account.iban) }
  return db.transaction(async (tx) => {
    const [before] = await lockAccount(tx, key)
    if (before?.closed === true) return true
    if ((await closeEmpty(tx, key)).length === 0) return false
    await record(tx, origin, {
      ...key,
      type: 'account.closed',
      data: { before: { closed: false }, after: { closed: true } }
    })
    return true
  })
}

function record(
  tx: Tx,
  origin: Origin,
  { organization_id, iban, type, data }: AccountKey & { type: AuditType; data: Record<string, unknown> }
): Promise<void> {
  return recordAct(tx, origin, { organization_id, type, data: { account: maskIban(iban), ...data } })
}

function describeLimits(limits: AccountLimits) {
  const show = (minor: bigint | null) => (minor === null ? null : formatAmount(minor, 'EUR'))
  return {
    max_transfer_amount: show(limits.max_transfer_minor),
    max_bulk_amount: show(limits.max_bulk_minor),
    max_day_amount: show(limits.max_day_minor)
  }
}
