import assert from 'node:assert/strict'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { transferId } from '../../src/domain/reference.ts'
import { startSandboxBank } from '../../src/sandbox-bank/start-sandbox-bank.ts'
import { createTestDatabase, digestTables, type TestDatabase } from '../support/database.ts'
import {
  call,
  expectAllPaid,
  makePlace,
  start,
  submitBulks,
  untilFinal,
  type Place,
  type Program
} from './program.ts'
import { killAll, sendSignal, until } from './processes.ts'

const leaseMs = 2_000

describe('one of two workers', { skip: process.platform === 'win32' }, () => {
  it('killed in the middle of its claim is replaced by the other, and nothing is paid twice', async (t) => {
    const { place, database, worker, bulkIds } = await startInTheMiddle(t)
    const killedAt = performance.now()
    await killAll([worker.pid])
    const left = await readHeld(database, place, worker)
    assert.ok(left.sent > 0 && left.sent < left.transfers, JSON.stringify(left))

    await untilFinal(place, bulkIds)

    const took_ms = Math.round(performance.now() - killedAt)
    t.diagnostic(
      `killed with ${left.sent} of ${left.transfers} claimed transfers sent; final ${took_ms} ms later, lease ${leaseMs} ms`
    )
    assert.ok(took_ms < 30_000)
    assert.equal(await readHighestEpoch(database), 2, 'the chunks were taken over')
    await expectAllPaid(place, bulkIds)
  })

  it('told to stop finishes what it claimed and leaves no outcome open', async (t) => {
    const { place, database, worker, bulkIds } = await startInTheMiddle(t)
    const toldAt = performance.now()
    sendSignal(worker.pid, 'SIGTERM')
    assert.deepEqual(await worker.exit, { code: 0, signal: null })
    t.diagnostic(`drained in ${Math.round(performance.now() - toldAt)} ms`)
    assert.equal((await readHeld(database, place, worker)).transfers, 0)

    await expectAllPaid(place, bulkIds)

    assert.equal(await readHighestEpoch(database), 1, 'every chunk was claimed once')
    assert.deepEqual(await database.sql('select status, reason from attempt'), [])
  })

  it('paused until its work is done by the other changes nothing when it wakes up', async (t) => {
    const { place, database, worker, bulkIds } = await startInTheMiddle(t)
    sendSignal(worker.pid, 'SIGSTOP')
    const { lanes } = await readHeld(database, place, worker)
    await untilFinal(place, bulkIds)
    const before = await digestTables(database)

    sendSignal(worker.pid, 'SIGCONT')

    await until('it has seen that its leases are lost', () => countLostLeases(worker) >= lanes)
    t.diagnostic(`${countLostLeases(worker)} claims refused by the fence`)
    assert.deepEqual(await digestTables(database), before)
    await expectAllPaid(place, bulkIds)
    const [later] = await submitBulks(place, 1)
    await expectAllPaid(place, [...bulkIds, later!])
  })
})

/** An API and two workers of 2 lanes, the first of which has sent a part of what it has claimed of a bulk of 1000. */
async function startInTheMiddle(t: TestContext) {
  const settings: Record<string, string> = {
    LEASE_MS: `${leaseMs}`,
    WORKER_LANES: '2',
    BANK_CONNECTIONS: '16'
  }
  const place = await makePlace(t, settings)
  const bank = await startSandboxBank({
    port: 0,
    logFile: path.join(place.folder, 'bank.jsonl'),
    latencyMs: 50
  })
  t.after(() => bank.stop())
  const database = await createTestDatabase()
  place.bankUrl = bank.url
  Object.assign(place.environment, { BANK_URL: bank.url, DATABASE_URL: database.url })
  const [, worker] = await Promise.all([
    start(place, { settings: { ROLE: 'api' } }),
    start(place, { settings: { ROLE: 'worker' } }),
    start(place, { settings: { ROLE: 'worker' } })
  ])
  const bulkIds = await submitBulks(place, 1)
  await until('the worker is in the middle', async () => {
    const { transfers, sent } = await readHeld(database, place, worker)
    return sent > 0 && sent < transfers
  })
  return { place, database, worker, bulkIds }
}

/** What a worker has claimed and not recorded, and how much of it the bank has received. */
async function readHeld(database: TestDatabase, place: Place, worker: Program) {
  const rows = await database.sql<{ worker: string; bulk_reference: string; seq: number }>(
    `select c.worker, b.bulk_reference, unnest(c.seqs) as seq
     from chunk c join bulk b using (organization_id, bulk_no)
     where c.due_at is not null and c.worker like '%:' || $1 || '/%'`,
    [worker.pid]
  )
  const listed = await call(place, `${place.bankUrl}/payments?limit=1000`)
  const { payments } = listed.body as { payments: { reference: string }[] }
  const references = new Set(payments.map(({ reference }) => reference))
  return {
    lanes: new Set(rows.map((row) => row.worker)).size,
    transfers: rows.length,
    sent: rows.filter((row) => references.has(transferId(row.bulk_reference, row.seq))).length
  }
}

async function readHighestEpoch(database: TestDatabase): Promise<number> {
  const [row] = await database.sql<{ epoch: number }>('select max(epoch) as epoch from chunk')
  return row?.epoch ?? 0
}

function countLostLeases(worker: Program): number {
  return worker.stdout().split('nothing was recorded').length - 1
}
