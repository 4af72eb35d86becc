import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as pass } from 'node:timers/promises'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { Worker } from '../../src/execution/worker.ts'
import { closeAccount } from '../../src/accounts/manage-account.ts'
import { recordReturn } from '../../src/execution/record-return.ts'
import { sweep } from '../../src/reconciliation/sweep.ts'
import { submitBulk } from '../../src/transfers/submit-bulk.ts'
import { aBulk, anOrganization, payer } from '../support/builders.ts'
import { makeLedger, type Ledger } from './ledger.ts'

const makeDueSince = ({ database }: Ledger, minutes: number, where = 'true') =>
  database.sql(
    `update chunk set due_at = now() - $1 * interval '1 minute' where due_at is not null and ${where}`,
    [minutes]
  )

describe('looking for work that nobody does', () => {
  it('finds it once, and ends the incident when it is worked off', async () => {
    const ledger = await makeLedger()
    const { request_id } = aBulk()
    await ledger.submit({ request_id, transfers: 2 })
    assert.equal(await sweep(ledger.context), '0 bulks overdue, 0 reserves orphaned')
    await makeDueSince(ledger, 2)
    for (let time = 0; time < 2; time++)
      assert.equal(await sweep(ledger.context), '1 bulks overdue, 0 reserves orphaned')
    const rows = await ledger.database.sql('select kind, subject, organization_id from incident')
    const { organization_id } = ledger
    const subject = `bulk ${request_id} of organization ${organization_id}`
    assert.deepEqual(rows, [{ kind: 'overdue-work', subject, organization_id }])

    await ledger.work()
    assert.equal(await sweep(ledger.context), '0 bulks overdue, 0 reserves orphaned')
    assert.deepEqual(await ledger.incidents(), [])
  })

  it('tells each of two organizations that chose the same bulk_id', async () => {
    const ledger = await makeLedger()
    const bulk = aBulk()
    const other = await anOrganization(ledger.database.db)
    for (const organization of [ledger.organization_id, other])
      assert.equal((await submitBulk(ledger.context, organization, bulk)).outcome, 'accepted')
    await makeDueSince(ledger, 2)
    await sweep(ledger.context)
    const rows = await ledger.database.sql('select organization_id as id from incident order by 1')
    assert.deepEqual(rows, [{ id: ledger.organization_id }, { id: other }])
  })

  it('finds what a worker left behind', async () => {
    const ledger = await makeLedger()
    await ledger.submit({ transfers: 2 })
    await claimWork(ledger.context, 'dead')
    await makeDueSince(ledger, 2)
    assert.equal(await sweep(ledger.context), '1 bulks overdue, 0 reserves orphaned')
  })

  it('raises no alarm for a queue that is worked on, unless it takes an hour', async () => {
    const ledger = await makeLedger({ CHUNK_SIZE: 1 })
    await ledger.submit({ transfers: 10, on_failure: 'stop' })
    await ledger.submit({ transfers: 10 })
    await claimWork(ledger.context, 'alive', { chunk_limit: 1 })
    await makeDueSince(ledger, 2, 'worker is null')
    assert.equal(await sweep(ledger.context), '0 bulks overdue, 0 reserves orphaned')
    await makeDueSince(ledger, 61, 'worker is null')
    assert.equal(await sweep(ledger.context), '2 bulks overdue, 0 reserves orphaned')
  })

  it('raises no alarm between two claims', async () => {
    const ledger = await makeLedger()
    await ledger.submit({ transfers: 1 })
    await ledger.work()
    await ledger.submit({ transfers: 1 })
    await makeDueSince(ledger, 2)
    assert.equal(await sweep(ledger.context), '0 bulks overdue, 0 reserves orphaned')
    await ledger.letAnHourPass()
    assert.equal(await sweep(ledger.context), '1 bulks overdue, 0 reserves orphaned')
  })

  it('ends nothing because there is too much of it', async () => {
    const ledger = await makeLedger()
    const { request_id } = aBulk()
    await ledger.submit({ request_id })
    await makeDueSince(ledger, 2)
    await sweep(ledger.context)
    for (let bulk = 0; bulk < 100; bulk++) await ledger.submit({ amount: '1.00' })
    await makeDueSince(ledger, 3, 'bulk_no > 1')
    assert.equal(await sweep(ledger.context), '100 bulks overdue, 0 reserves orphaned')
    assert.equal((await ledger.incidents()).length, 101)
    await ledger.work()
    await sweep(ledger.context)
    assert.deepEqual(await ledger.incidents(), [])
  })
})

describe('looking for orphaned reserves', () => {
  it('finds one, and ends the incident when it is mended', async () => {
    const ledger = await makeLedger()
    await ledger.submit({ transfers: 2 })
    const add = (minor: number) =>
      ledger.database.sql(`update account set reserved_minor = reserved_minor + $1 where kind = 'CUSTOMER'`, [
        minor
      ])
    await add(1)
    for (let time = 0; time < 2; time++)
      assert.equal(await sweep(ledger.context), '0 bulks overdue, 1 reserves orphaned')
    assert.deepEqual(await ledger.incidents(), [
      'orphaned-reserve: it reserves 200.01 EUR, its open transfers add up to 200.00 EUR'
    ])
    await add(-1)
    await sweep(ledger.context)
    assert.deepEqual(await ledger.incidents(), [])
  })

  it('raises no alarm in the middle of the work of four workers', async () => {
    const ledger = await makeLedger({ CHUNK_SIZE: 7, POLL_MS: 50, WORKER_LANES: 2 })
    const { bank } = ledger.context
    bank.script = async ({ reference }) => {
      await pass(5)
      if (reference.endsWith('3')) return { outcome: 'rejected', code: 'AC04', message: 'Closed account' }
      return reference.endsWith('5') && Math.random() < 0.5
        ? { outcome: 'unknown', cause: 'timeout' }
        : 'execute'
    }
    const workers = ['a', 'b', 'c', 'd'].map((name) => new Worker(ledger.context, name))
    for (const worker of workers) await worker.start()
    let sweeps = 0
    try {
      for (let bulk = 0; bulk < 12; bulk++) {
        await ledger.submit({ transfers: 100, amount: '1.00', on_failure: bulk % 2 ? 'stop' : 'continue' })
        for (let time = 0; time < 15; time++) {
          assert.equal(await sweep(ledger.context), '0 bulks overdue, 0 reserves orphaned')
          sweeps += 1
        }
      }
    } finally {
      await Promise.all(workers.map((worker) => worker.stop()))
    }
    assert.equal(sweeps, 180)
    assert.deepEqual(await ledger.database.sql('select * from incident'), [])
    assert.ok(bank.executed.size > 100, 'nothing was going on: this run shows nothing')
  })
})

describe('looking for money that nobody can pay', () => {
  it('finds what came back to an account after it was closed', async () => {
    const ledger = await makeLedger()
    const { context, organization_id, database } = ledger
    await ledger.submit({ transfers: 10, amount: '10000.00' })
    await ledger.work()
    const account = { organization_id, iban: payer.organization_iban }
    assert.ok(await closeAccount(database.db, account, context.origin))
    await sweep(context)
    assert.deepEqual(await ledger.incidents(), [])

    const [row] = await database.sql<{ bulk_no: string }>('select bulk_no from bulk')
    const transfer = { organization_id, bulk_no: BigInt(row?.bulk_no ?? 0), seq: 3 }
    const why = { reason_code: 'AC04', reason: 'Closed account' }
    await recordReturn(database.db, { ...transfer, amount_minor: 10_000_00n, ...why })
    await sweep(context)
    assert.deepEqual(await ledger.incidents(), [
      'money-on-closed-account: it is closed and has 10000.00 EUR; agree with its owner where that goes'
    ])
  })
})
