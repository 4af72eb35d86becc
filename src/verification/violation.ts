import type { Tx } from '../database/statement.ts'
import { formatAmount, isCurrency } from '../domain/money.ts'
import { transferId } from '../domain/reference.ts'

/** The invariants, in the words that people read; reports and incidents name them by these numbers. */
export const invariants = {
  I1: 'Every posting is a double entry within one organization, and all of them sum to zero',
  I2: "Every account's balance is the sum of its postings, its reserve the sum of its open transfers",
  I3: 'The bank executed each transfer at most once, with its amount, currency and IBAN',
  I4: 'A transfer is EXECUTED, and posted once, if and only if the bank executed it',
  I5: 'Every bulk is whole: each transfer is there, and has either an end or one place in the work to do',
  I6: 'There is one bulk for each request_id, and one for each reference',
  I7: 'Every state is a declared one, reached in the declared way, and the guards of the schema are in place',
  I8: 'The counts and amounts of every bulk add up, and it is final exactly when nothing is open',
  I9: 'Every bulk was told of: its acceptance, each end of its transfers, and its own end exactly once',
  I10: 'Every event is in its place: the chain of each organization has no gap, and every hash is right'
} as const
export type Invariant = keyof typeof invariants

/** One row that breaks an invariant: which row, what was expected of it and what was found. */
export interface Violation {
  invariant: Invariant
  subject: string
  details: string
}

/** Finds the rows that break one rule, at most row_limit of them. */
export type Check = (tx: Tx, row_limit: number) => Promise<Violation[]>

/** A check made of a statement that selects the wrong rows and of the words for one of them. */
export function check<Row>(
  select: (tx: Tx, parameters: { row_limit: number }) => Promise<Row[]>,
  describe: (row: Row) => Violation
): Check {
  return async (tx, row_limit) => (await select(tx, { row_limit })).map(describe)
}

/** The texts of those facts that are so. */
export function listFaults(facts: Record<string, boolean>): string {
  return Object.keys(facts)
    .filter((text) => facts[text])
    .join('; ')
}

/** An amount for people; of an unknown currency, in minor units. */
export function describeAmount(amount_minor: bigint, currency: string | null): string {
  return currency !== null && isCurrency(currency)
    ? `${formatAmount(amount_minor, currency)} ${currency}`
    : `${amount_minor} minor units of ${currency ?? 'no currency'}`
}

/** An account as a report names it: by its key, since what it names becomes an alarm in the log, where no IBAN may be. */
export function nameAccount(row: { organization_id: number; account_id: number }): string {
  return `account ${row.account_id} of organization ${row.organization_id}`
}

/** A bulk as a report names it. */
export function nameBulk(row: { organization_id: number; bulk_id: string }): string {
  return `bulk ${row.bulk_id} of organization ${row.organization_id}`
}

/** A transfer by its id, or by its key when there is no bulk that could give it one. */
export function nameTransfer(row: {
  organization_id: number
  bulk_no: bigint
  seq: number
  bulk_reference: string | null
}): string {
  return row.bulk_reference === null
    ? `transfer ${row.seq} of bulk number ${row.bulk_no} of organization ${row.organization_id}`
    : `transfer ${transferId(row.bulk_reference, row.seq)}`
}
