import assert from 'node:assert/strict'
import type { BankNotice } from '../../src/banking/bank-notice.ts'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { receiveNotices, settleNotices } from '../../src/execution/notices.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { notReconciled, reconcile, type Reconciled } from '../../src/reconciliation/reconcile.ts'
import { submitBulk } from '../../src/transfers/submit-bulk.ts'
import type { BulkRequest } from '../../src/transfers/bulk-request.ts'
import type { Settings } from '../../src/settings.ts'
import { verify } from '../../src/verification/verify.ts'
import { aBulk, anOrganization, aTransfer } from '../support/builders.ts'
import { createTestContext, type TestContext } from '../support/context.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { logOf } from '../support/scripted-bank.ts'

export interface Ledger {
  context: TestContext
  database: TestDatabase
  organization_id: number
  /** Submits a bulk; tells the reference of each of its transfers. */
  submit: (change: Parameters<typeof aBulk>[0]) => Promise<(seq: number) => string>
  /** Works off what is due, as a worker does. */
  work: () => Promise<void>
  /** Settles what the bank told by itself, and works off what follows. */
  settle: () => Promise<void>
  /** Makes all that happened an hour older. */
  letAnHourPass: () => Promise<void>
  /** "EXECUTED 100.00" of every transfer: its end, and what it moved on the account. */
  ends: () => Promise<string[]>
  /** Kind and details of what is open, without the number of the line that it was found in. */
  incidents: () => Promise<string[]>
  /** The checker's verdict, with the bank's log as it is. */
  violations: () => Promise<string[]>
  /** Runs the reconciliation from a place on; by default over what was not read yet. */
  reconcile: (from?: Reconciled) => Promise<{ reached: Reconciled; result: string }>
}

/** An organization in a database of its own, since lines of a statement are numbered for all. */
export async function makeLedger(settings: Partial<Settings> = {}): Promise<Ledger> {
  const database = await createTestDatabase()
  const { db, sql } = database
  const context = createTestContext(database, settings)
  const organization_id = await anOrganization(db)
  let reached = notReconciled
  const work = async () => {
    for (let claim = await claimWork(context, 'test'); claim; claim = await claimWork(context, 'test'))
      await executeClaim(context, claim)
  }
  return {
    context,
    database,
    organization_id,
    async submit(change) {
      const bulk = aBulk(change)
      assert.equal((await submitBulk(context, organization_id, bulk)).outcome, 'accepted')
      return await referenceOf(database, bulk)
    },
    work,
    async settle() {
      for (let round = 0; round < 3; round++) {
        // A notice of an open transfer is looked at again after a second.
        await sql('update notice set due_at = now() where due_at is not null')
        await settleNotices(context)
        await work()
      }
    },
    async letAnHourPass() {
      await sql(`begin; set local session_replication_role = replica;
        update bulk set accepted_at = accepted_at - interval '1 hour', completed_at = completed_at - interval '1 hour';
        update outcome set recorded_at = recorded_at - interval '1 hour';
        update chunk set due_at = due_at - interval '1 hour';
        update event e set data = data || bulk_facts(b) from bulk b
        where (e.organization_id, e.bulk_no) = (b.organization_id, b.bulk_no) and e.type = 'bulk.completed';
        commit`)
    },
    async ends() {
      const rows = await sql<{ text: string }>(
        `select coalesce(o.status::text, c.status::text) || coalesce(string_agg(' ' || p.amount_minor / 100, '' order by line_no), '') as text
         from transfer t
         left join outcome o using (organization_id, bulk_no, seq)
         left join chunk c on (c.organization_id, c.bulk_no) = (t.organization_id, t.bulk_no)
           and t.seq = any (c.seqs) and c.due_at is not null
         left join posting p on (p.organization_id, p.bulk_no, p.seq) = (t.organization_id, t.bulk_no, t.seq)
         group by t.bulk_no, t.seq, o.status, c.status order by t.bulk_no, t.seq`
      )
      return rows.map(({ text }) => text)
    },
    async incidents() {
      const rows = await sql<{ kind: string; details: string }>(
        'select kind, details from incident where resolved_at is null order by incident_no'
      )
      return rows.map(({ kind, details }) => `${kind}: ${details}`)
    },
    async violations() {
      const bankLog = {
        async *payments() {
          await Promise.resolve()
          yield* logOf(context.bank)
        }
      }
      const { violations } = await verify(db, bankLog)
      return violations.map(({ subject, details }) => `${subject}: ${details}`)
    },
    async reconcile(from = reached) {
      const done = await reconcile(context, from, () => Promise.resolve('go-on'))
      reached = done.reached
      return done
    }
  }
}

async function referenceOf(database: TestDatabase, bulk: BulkRequest): Promise<(seq: number) => string> {
  const [row] = await database.sql<{ bulk_reference: string }>(
    'select bulk_reference from bulk where request_id = $1',
    [bulk.request_id]
  )
  return (seq) => `${row?.bulk_reference ?? ''}-${seq}`
}

/** The bank tells of a transfer by a callback. */
export async function tellByCallback(
  { context }: Ledger,
  notice: Partial<BankNotice> & Pick<BankNotice, 'reference' | 'status'>
): Promise<void> {
  const { amount, currency, counterparty_iban } = aTransfer()
  const said = { notice_id: 'notice', amount, currency, counterparty_iban, reason_code: null, reason: null }
  await receiveNotices(context, [{ ...said, ...notice }], 'callback')
}
