import type { Database } from '../database/database.ts'
import type { Tx } from '../database/statement.ts'
import type { BankLog } from './bank-log.ts'
import { bulkChecks } from './check-bulks.ts'
import { eventChecks } from './check-events.ts'
import { ledgerChecks } from './check-ledger.ts'
import { noticeChecks } from './check-notices.ts'
import { outcomeChecks } from './check-outcomes.ts'
import { payeeChecks } from './check-payees.ts'
import { returnChecks } from './check-returns.ts'
import { schemaChecks } from './check-schema.ts'
import { stopChecks } from './check-stops.ts'
import { wholenessChecks } from './check-wholeness.ts'
import { compareWithBank, findForeignPayments } from './compare-with-bank.ts'
import { loadExpectedBulks } from './expected-payments.ts'
import { countRows, prepareLongReads } from './queries.ts'
import type { Violation } from './violation.ts'

export type { BankLog, Violation }

export interface Verification {
  violations: Violation[]
  checked: {
    organizations: number
    accounts: number
    bulks: number
    transfers: number
    postings: number
    bank_payments: number
  }
  duration_ms: number
}

export interface VerifyOptions {
  /** What a payment is whose reference is none of ours: a violation, or another installation's at the same bank. */
  foreignReferences?: 'ignore' | 'report'
  /** Most violations that are returned. */
  maxViolations?: number
  /** Is told what is being looked at. */
  onProgress?: (step: string) => void
}

export const defaultMaxViolations = 1000

const checks = {
  ...schemaChecks,
  ...ledgerChecks,
  ...wholenessChecks,
  ...bulkChecks,
  ...outcomeChecks,
  ...stopChecks,
  ...returnChecks,
  ...noticeChecks,
  ...payeeChecks,
  ...eventChecks
}

/**
 * Proves I1 to I10 from one snapshot of the database and the bank's log, or tells which rows break them. It only
 * reads, and is right while the system runs: the snapshot comes first, then the bank, then a second look at what the
 * bank knows and the snapshot does not.
 */
export async function verify(
  db: Database,
  bank: BankLog,
  options: VerifyOptions = {}
): Promise<Verification> {
  const { foreignReferences = 'report', maxViolations = defaultMaxViolations } = options
  const tell = options.onProgress ?? (() => undefined)
  const startedAt = performance.now()
  const snapshot = await db.transaction(
    (tx) => examineSnapshot(tx, maxViolations, tell),
    'isolation level repeatable read read only'
  )
  const comparison = await compareWithBank(bank, snapshot.bulks, (count) => tell(`${count} bank payments`))
  const foreign = foreignReferences === 'report' ? await findForeignPayments(db, comparison.unknown) : []
  const violations = [...snapshot.violations, ...comparison.violations, ...foreign]
  return {
    violations: violations
      .toSorted((one, other) => one.invariant.localeCompare(other.invariant))
      .slice(0, maxViolations),
    checked: { ...snapshot.counts, bank_payments: comparison.bank_payments },
    duration_ms: Math.round(performance.now() - startedAt)
  }
}

async function examineSnapshot(tx: Tx, rowLimit: number, tell: (step: string) => void) {
  await prepareLongReads(tx, {})
  const violations: Violation[] = []
  for (const [name, check] of Object.entries(checks)) {
    tell(name)
    violations.push(...(await check(tx, rowLimit)))
  }
  const bulks = await loadExpectedBulks(tx, (count) => tell(`transfers of ${count} bulks`))
  const [row] = await countRows(tx, {})
  if (row === undefined) throw new Error('a count returned no row')
  const counts = {
    organizations: Number(row.organizations),
    accounts: Number(row.accounts),
    bulks: Number(row.bulks),
    transfers: Number(row.transfers),
    postings: Number(row.postings)
  }
  return { violations, bulks, counts }
}
