import assert from 'node:assert/strict'
import type { Context } from '../../src/context.ts'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import type { BankPayment } from '../../src/verification/bank-log.ts'
import type { BankLog, Verification } from '../../src/verification/verify.ts'
import { submitBulk } from '../../src/transfers/submit-bulk.ts'
import { aBulk, anOrganization, aTransfer, payer } from '../support/builders.ts'
import { createTestContext, type TestContext } from '../support/context.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { logOf } from '../support/scripted-bank.ts'

export interface SmallBulk {
  bulk_no: string
  id: string
  /** How violations name it, its transfers and its chunks. */
  name: string
  transfer: (seq: number) => string
  reference: (seq: number) => string
}

/** A few bulks that went through the production code, in a database of their own. */
export interface History {
  context: TestContext
  database: TestDatabase
  organization_id: number
  account: string
  /** 3 of 100.00, all EXECUTED, in chunks of 2 and 1. */
  executed: SmallBulk
  /** 100.00 EXECUTED, 50.00 FAILED, 25.00 UNKNOWN. */
  mixed: SmallBulk
  /** 2 of 10.00, PENDING in one chunk. */
  pending: SmallBulk
  log: BankPayment[]
}

export async function makeHistory(): Promise<History> {
  const database = await createTestDatabase({ maxConnections: 4 })
  const context = createTestContext(database, { CHUNK_SIZE: 2 })
  context.bank.script = (order) => {
    if (order.amount_minor === 50_00n) return { outcome: 'rejected', code: 'AC04', message: 'Closed account' }
    return order.amount_minor === 25_00n ? { outcome: 'unknown', cause: 'timeout' } : 'execute'
  }
  const organization_id = await anOrganization(database.db)
  const executed = await submit(context, organization_id, ['100.00', '100.00', '100.00'])
  await workOnce(context)
  const mixed = await submit(context, organization_id, ['100.00', '50.00', '25.00'])
  await workOnce(context)
  const pending = await submit(context, organization_id, ['10.00', '10.00'])
  const [payingAccount] = await database.sql<{ account_id: number }>(
    `select account_id from account where kind = 'CUSTOMER' and iban = $1`,
    [payer.organization_iban]
  )
  const account = `account ${payingAccount?.account_id} of organization ${organization_id}`
  const [first, second, third] = await findBulks(database, [executed, mixed, pending])
  assert(first && second && third)
  return {
    context,
    database,
    organization_id,
    account,
    executed: first,
    mixed: second,
    pending: third,
    log: logOf(context.bank)
  }
}

export async function submit(
  context: Context,
  organization_id: number,
  amounts: string[],
  on_failure: 'continue' | 'stop' = 'continue'
): Promise<string> {
  const bulk = aBulk({ credit_transfers: amounts.map((amount) => aTransfer({ amount })), on_failure })
  const submission = await submitBulk(context, organization_id, bulk)
  assert.equal(submission.outcome, 'accepted')
  return bulk.request_id
}

export async function workOnce(context: Context): Promise<void> {
  const claim = await claimWork(context, 'test')
  assert(claim)
  await executeClaim(context, claim)
}

/** Works off everything that is due, however slow the machine is: an unknown outcome falls due meanwhile. */
export async function workOff(context: Context): Promise<void> {
  for (let claim = await claimWork(context, 'test'); claim; claim = await claimWork(context, 'test'))
    await executeClaim(context, claim)
}

export async function findBulks(database: TestDatabase, request_ids: string[]): Promise<SmallBulk[]> {
  const rows = await database.sql<{
    organization_id: number
    request_id: string
    bulk_no: string
    bulk_reference: string
  }>('select organization_id, request_id, bulk_no, bulk_reference from bulk order by bulk_no')
  assert.deepEqual(
    rows.map((row) => row.request_id),
    request_ids
  )
  return rows.map((row) => ({
    bulk_no: row.bulk_no,
    id: row.request_id,
    name: `bulk ${row.request_id} of organization ${row.organization_id}`,
    transfer: (seq) => `transfer ${row.bulk_reference}-${seq}`,
    reference: (seq) => `${row.bulk_reference}-${seq}`
  }))
}

/** Changes what the guards would refuse to change. */
export async function corrupt({ database }: History, sql: string): Promise<void> {
  await database.sql(`begin; set local session_replication_role = replica; ${sql}; commit`)
}

export function aLog(payments: BankPayment[]): BankLog {
  return {
    async *payments() {
      await Promise.resolve()
      yield* payments
    }
  }
}

/** Each violation as its invariant and what it is about, in one order. */
export function named({ violations }: Verification): string[] {
  return violations.map(({ invariant, subject }) => `${invariant} ${subject}`).sort()
}
