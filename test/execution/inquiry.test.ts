import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BankAnswer } from '../../src/banking/connector.ts'
import { BankGate } from '../../src/execution/bank-gate.ts'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { executeClaim, Worker } from '../../src/execution/worker.ts'
import type { TestContext } from '../support/context.ts'
import { claim, createStage } from './stage.ts'

const stage = await createStage()
const { arrange, letTimePass, sql, prove } = stage

const timeout: BankAnswer = { outcome: 'unknown', cause: 'timeout' }
const down: BankAnswer = { outcome: 'not-accepted', cause: 'ECONNREFUSED' }
const kinds = ({ bank }: TestContext) => bank.calls.map(({ kind }) => kind)

/** Milliseconds until the one open chunk of the organization is due. */
async function wait(organizationId: number): Promise<number> {
  const [row] = await sql<{ ms: string }>(
    `select extract(epoch from due_at - now()) * 1000 as ms from chunk where organization_id = $1 and due_at is not null`,
    [organizationId]
  )
  return Number(row?.ms)
}

/** Makes the open chunks of an organization be in their status for longer. */
const makeOld = (organizationId: number, age: string) =>
  sql(`begin; set local session_replication_role = replica;
    update chunk set since = now() - interval '${age}' where organization_id = ${organizationId} and due_at is not null;
    commit`)

describe('what the bank has taken', () => {
  it('is asked about within half a second, and then ever less often', async () => {
    const { context, organizationId } = await arrange({ transfers: 1 })
    context.bank.script = () => ({ outcome: 'taken' })
    await executeClaim(context, await claim(context))
    assert.ok((await wait(organizationId)) < 500)
    await makeOld(organizationId, '2 minutes')
    await letTimePass()
    await executeClaim(context, await claim(context))
    assert.ok((await wait(organizationId)) > 25_000)
  })
})

describe('what is UNKNOWN', () => {
  it('is asked about ever less often, up to every five minutes, and leaves next to no trail', async () => {
    const { context, organizationId, transfers, counts } = await arrange({ transfers: 2 })
    context.bank.script = () => timeout
    await executeClaim(context, await claim(context))
    const waits: number[] = []
    for (let asked = 1; asked < 70; asked++) {
      waits.push(await wait(organizationId))
      await letTimePass()
      await makeOld(organizationId, `${Math.round(waits.reduce((sum, ms) => sum + ms, 0))} milliseconds`)
      await executeClaim(context, await claim(context))
    }
    assert.ok(waits[0]! < 500 && waits.at(-1)! > 150_000 && waits.at(-1)! <= 300_000, String(waits))
    // PostgreSQL's clock runs on between the record and the look.
    for (const [nr, next] of waits.slice(1).entries()) assert.ok(next > waits[nr]! - 1_000, `${nr}: ${next}`)
    assert.deepEqual(await counts(), { status: 'PROCESSING', unknown: 2 })
    assert.equal((await transfers())[0]?.attempts.length, 22)
    const [rows] = await sql(
      `select (select count(*)::int from chunk where organization_id = $1) as chunks,
              (select array_agg(attempt_no order by attempt_no) from attempt where organization_id = $1 and seq = 0) as kept`,
      [organizationId]
    )
    const kept = [...Array.from({ length: 20 }, (_, nr) => nr + 1), 32, 64]
    assert.deepEqual(rows, { chunks: 2, kept })
  })

  it('needs attention after fifteen minutes, also while the bulk goes on', async () => {
    const { context, organizationId, status } = await arrange({ transfers: 3 }, { CHUNK_SIZE: 1 })
    context.bank.script = ({ reference }) => (reference.endsWith('-0') ? timeout : 'execute')
    await executeClaim(context, (await claimWork(context, 'test', { chunk_limit: 1 }))!)
    await sql(
      `update chunk set due_at = now() + interval '1 hour' where organization_id = $1 and due_at is not null`,
      [organizationId]
    )
    assert.equal((await status()).needs_attention, false)
    await makeOld(organizationId, '14 minutes')
    assert.equal((await status()).needs_attention, false)
    await makeOld(organizationId, '16 minutes')
    const read = await status()
    assert.deepEqual([read.needs_attention, read.pending.count, read.unknown.count], [true, 2, 1])
  })
})

describe('a bank that is not idempotent', () => {
  it('is asked before anything is sent again, which it is once, after the settlement window', async () => {
    const { context, organizationId, counts } = await arrange({ transfers: 1 })
    context.bank.abilities.idempotent_submit = false
    context.bank.script = (_, kind) => (kind === 'submit' ? timeout : { outcome: 'not-found' })
    await executeClaim(context, await claim(context))
    for (const age of ['0 seconds', '30 seconds', '59 seconds']) {
      await makeOld(organizationId, age)
      await letTimePass()
      await executeClaim(context, await claim(context))
    }
    assert.deepEqual(kinds(context), ['submit', 'inquire', 'inquire', 'inquire'])
    await makeOld(organizationId, '61 seconds')
    await letTimePass()
    await executeClaim(context, await claim(context))
    assert.deepEqual(await counts(), { status: 'PROCESSING', pending: 1 })
    await letTimePass()
    await executeClaim(context, await claim(context))
    await letTimePass()
    await executeClaim(context, await claim(context))
    assert.deepEqual(kinds(context).slice(4), ['inquire', 'submit', 'inquire'])
    assert.deepEqual(await counts(), { status: 'PROCESSING', unknown: 1 }, 'its window begins anew')
  })

  it('is asked, not sent to, by the heir of a lost lease, and its window begins with that', async () => {
    const { context, counts } = await arrange({ transfers: 1 })
    context.bank.abilities.idempotent_submit = false
    await claim(context)
    await letTimePass()
    context.bank.script = () => ({ outcome: 'not-found' })
    await executeClaim(context, await claim(context))
    await letTimePass()
    await executeClaim(context, await claim(context))
    assert.deepEqual(kinds(context), ['inquire', 'inquire'])
    assert.deepEqual(await counts(), { status: 'PROCESSING', unknown: 1 })
  })
})

it('a worker that slept through its lease does not call the bank, and what it records changes nothing', async () => {
  const { context, counts } = await arrange({ transfers: 5 }, { LEASE_MS: 1_000 })
  let now = 0
  const clock = { ...context.clock, elapsedMs: () => now }
  const sleeper: TestContext = { ...context, clock }
  const gated = { ...sleeper, bank: new BankGate(sleeper) }
  const held = (await claimWork(gated, 'sleeper'))!
  now += 999
  await letTimePass()
  const heir = await claim(context)
  now += 1
  await executeClaim(gated, held)
  assert.deepEqual([context.bank.calls.length, await counts()], [0, { status: 'PROCESSING', processing: 5 }])
  await executeClaim(context, heir)
  assert.deepEqual(await counts(), { status: 'COMPLETED', executed: 5 })
})

it('a bank that is down for minutes is left in peace, and then is paid to at once', async () => {
  const { context, counts, status, transfers } = await arrange(
    { transfers: 300 },
    { WORKER_LANES: 2, LEASE_MS: 600_000 }
  )
  let now = 0
  let moved: Promise<unknown> = Promise.resolve()
  const downUntil = 300_000
  context.clock = {
    nowMs: () => Date.now(),
    elapsedMs: () => now,
    // Sleeping moves the clock, and makes due what would be by then; only leases are kept by their real time.
    sleep: async (ms, signal) => {
      if (ms >= 60_000) return new Promise((resolve) => signal?.addEventListener('abort', () => resolve()))
      now += ms
      // One sleeper after the other: two that change the same chunks at one time may deadlock.
      moved = moved.then(() =>
        sql(
          `update chunk set due_at = due_at - $1 * interval '1 millisecond' where due_at is not null and worker is null`,
          [ms]
        )
      )
      await moved
    }
  }
  context.bank.script = () => (now < downUntil ? down : 'execute')
  const worker = new Worker(context, 'test')
  await worker.start()
  while (now < downUntil) await status()
  const calls = context.bank.calls.length
  while (!(await status()).final) await status()
  const finishedMs = now
  await worker.stop()
  assert.deepEqual(await counts(), { status: 'COMPLETED', executed: 300 })
  assert.ok(calls < 300, `${calls} calls of a bank that was down`)
  assert.ok(finishedMs < downUntil + 60_000, `it took ${finishedMs - downUntil} ms`)
  const attempts = (await transfers()).map((transfer) => transfer.attempts.length)
  assert.ok(Math.max(...attempts) < 40, `${Math.max(...attempts)} attempts of one transfer`)
})

it('none of this breaks an invariant', prove)
