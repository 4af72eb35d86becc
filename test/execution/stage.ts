import assert from 'node:assert/strict'
import { readAccount } from '../../src/accounts/read-accounts.ts'
import type { BankNotice } from '../../src/banking/bank-notice.ts'
import { claimWork, type Claim } from '../../src/execution/execute-claim.ts'
import { settleNotices } from '../../src/execution/notices.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import type { Settings } from '../../src/settings.ts'
import { readBulkStatus } from '../../src/transfers/read-bulk.ts'
import { listTransfers } from '../../src/transfers/read-transfers.ts'
import { submitBulk } from '../../src/transfers/submit-bulk.ts'
import { verify } from '../../src/verification/verify.ts'
import { aBulk, anOrganization, payer } from '../support/builders.ts'
import { createTestContext, type TestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'
import { logOf, type ScriptedBank } from '../support/scripted-bank.ts'

const shares = ['executed', 'pending', 'processing', 'unknown', 'failed', 'cancelled', 'returned'] as const

/** A database of the test file's own, on which scenes are set up, played and proven. */
export async function createStage() {
  const database = await createTestDatabase()
  const { db, sql } = database
  const banks: ScriptedBank[] = []

  /** A context with a bank of its own; what is left of earlier scenes sleeps, so that this one is alone with its work. */
  async function open(settings: Partial<Settings> = {}): Promise<TestContext> {
    await sql(`update chunk set due_at = now() + interval '1 year' where due_at is not null`)
    await sql(
      `begin; set local session_replication_role = replica; delete from notice where due_at is not null; commit`
    )
    const context = createTestContext(database, settings)
    banks.push(context.bank)
    return context
  }

  async function submit(
    context: TestContext,
    organizationId: number,
    change: Parameters<typeof aBulk>[0] = {}
  ) {
    const bulk = aBulk(change)
    assert.equal((await submitBulk(context, organizationId, bulk)).outcome, 'accepted')
    return look(organizationId, bulk.request_id)
  }

  /** A bulk as its owner sees it. */
  function look(organization_id: number, bulk_id: string) {
    const status = async () => {
      const read = await readBulkStatus(db, organization_id, bulk_id)
      assert.ok(read)
      return read
    }
    return {
      bulk_id,
      status,
      /** The status, and what is not zero of the equation. */
      counts: async () => {
        const read = await status()
        const some = shares.filter((share) => read[share].count > 0)
        return { status: read.status, ...Object.fromEntries(some.map((share) => [share, read[share].count])) }
      },
      transfers: async () => {
        const query = { organization_id, bulk_id, first_seq: 0, status: null, limit: 1000 }
        return (await listTransfers(db, query)) ?? []
      }
    }
  }

  /** An organization with one accepted bulk, alone in having work that is due. */
  async function arrange(change: Parameters<typeof aBulk>[0] = {}, settings: Partial<Settings> = {}) {
    const context = await open(settings)
    const organizationId = await anOrganization(db)
    const bulk = await submit(context, organizationId, change)
    return { context, organizationId, ...bulk }
  }

  /** Balance and reserve of the organization's account. */
  async function money(organizationId: number) {
    const account = await readAccount(db, organizationId, payer.organization_iban)
    return [account?.balance, account?.reserved]
  }

  /** Makes leases run out, and what waits for its time due. */
  const letTimePass = async () => {
    await sql(`update chunk set due_at = now() where due_at < now() + interval '1 day'`)
    await sql(`update notice set due_at = now() where due_at is not null`)
  }

  /** Works off whatever comes to be due, until everything has ended. */
  async function finish(context: TestContext): Promise<void> {
    for (let rounds = 0; rounds < 20; rounds++) {
      await letTimePass()
      await settleNotices(context)
      await workOff(context)
    }
  }

  /** What people are told to look into. */
  const incidents = (organizationId: number) =>
    sql<{ kind: string; details: string }>(
      'select kind, details from incident where organization_id = $1 and resolved_at is null order by incident_no',
      [organizationId]
    )

  /** Every scene of this file so far breaks no invariant. */
  async function prove(): Promise<void> {
    const { violations } = await verify(db, {
      async *payments() {
        await Promise.resolve()
        for (const bank of banks) yield* logOf(bank)
      }
    })
    assert.deepEqual(violations, [])
  }

  return { database, db, sql, open, submit, look, arrange, money, letTimePass, finish, incidents, prove }
}

export async function claim(context: TestContext): Promise<Claim> {
  const claimed = await claimWork(context, 'test')
  assert.ok(claimed)
  return claimed
}

/** Works until nothing is due, as a worker's lane does. */
export async function workOff(context: TestContext): Promise<void> {
  for (let next = await claimWork(context, 'test'); next; next = await claimWork(context, 'test'))
    await executeClaim(context, next)
}

let noticeNo = 0

/** What the bank tells by itself of a transfer, but for what is given. */
export function noticeOf(
  transfer: { transfer_id: string; amount: string; currency: string; counterparty_iban: string },
  status: BankNotice['status'],
  change: Partial<BankNotice> = {}
): BankNotice {
  const { transfer_id: reference, amount, currency, counterparty_iban } = transfer
  const reason_code = { EXECUTED: null, REJECTED: 'AC04', RETURNED: 'AC06' }[status]
  return {
    notice_id: `N${++noticeNo}`,
    reference,
    status,
    amount,
    currency,
    counterparty_iban,
    reason_code,
    reason: reason_code === null ? null : 'the bank says so',
    ...change
  }
}

/** The same numbers for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
