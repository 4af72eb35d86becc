import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { cancelBulk } from '../../src/execution/cancel-bulk.ts'
import type { NamedQuery } from '../../src/database/statement.ts'
import { askBank, claimWork, recordClaim } from '../../src/execution/execute-claim.ts'
import { recordResults } from '../../src/execution/queries.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { anOrganization } from '../support/builders.ts'
import type { TestContext } from '../support/context.ts'
import { claim, createStage, randomFrom, workOff } from './stage.ts'

const stage = await createStage()
const { arrange, money, letTimePass, prove } = stage

/** What a cancellation says it cancelled, or why it did not. */
async function cancel(context: TestContext, organizationId: number, bulkId: string) {
  const cancelled = await cancelBulk(context, organizationId, bulkId)
  return cancelled.outcome === 'stopped' ? cancelled.cancelled_now : cancelled.outcome
}

/** The outside world of a process that records what it has, and dies. */
function diesAfterRecording(context: TestContext): TestContext {
  const query = (statement: NamedQuery) =>
    statement.name === recordResults.definition.name
      ? context.db.query(statement)
      : Promise.reject(new Error('died'))
  return { ...context, db: { ...context.db, query } }
}

describe('a cancellation', () => {
  it('before anything was claimed cancels everything and frees the money at once', async () => {
    const { context, organizationId, bulk_id, counts, status, transfers } = await arrange({ transfers: 250 })
    assert.deepEqual(await cancel(context, organizationId, bulk_id), { count: 250, amount: '25000.00' })
    assert.deepEqual(await counts(), { status: 'CANCELLED', cancelled: 250 })
    assert.deepEqual([(await status()).final, (await status()).progress], [true, 1])
    assert.deepEqual(await money(organizationId), ['100000.00', '0.00'])
    assert.ok((await transfers()).every(({ status, failure }) => status === 'CANCELLED' && failure === null))
    assert.equal(await claimWork(context, 'late'), null)
    assert.equal(context.bank.calls.length, 0)
  })

  it('in the middle leaves what is claimed to its holder, whose word stays true', async () => {
    const { context, organizationId, bulk_id, counts } = await arrange({ transfers: 300 })
    const held = await claim(context)
    assert.deepEqual(await cancel(context, organizationId, bulk_id), { count: 100, amount: '10000.00' })
    assert.deepEqual(await counts(), { status: 'PROCESSING', processing: 200, cancelled: 100 })
    assert.deepEqual(await money(organizationId), ['100000.00', '20000.00'])
    await executeClaim(context, held)
    assert.deepEqual(await counts(), { status: 'PARTIALLY_COMPLETED', executed: 200, cancelled: 100 })
    assert.deepEqual(await money(organizationId), ['80000.00', '0.00'])
  })

  it('is also true for what its holder puts back afterwards: that is never sent', async () => {
    const { context, organizationId, bulk_id, counts } = await arrange({ transfers: 40 })
    const held = await claim(context)
    context.bank.script = ({ reference }) =>
      reference.endsWith('-7') ? 'execute' : { outcome: 'not-accepted', cause: 'http-503' }
    const results = await askBank(context, held)
    await cancel(context, organizationId, bulk_id)
    await recordClaim(context, held, results)
    assert.deepEqual(await counts(), { status: 'PARTIALLY_COMPLETED', executed: 1, cancelled: 39 })
    assert.deepEqual(await money(organizationId), ['99900.00', '0.00'])
  })

  it('is carried out by whoever claims what a holder put back just before it died', async () => {
    const { context, organizationId, bulk_id, counts } = await arrange({ transfers: 40 })
    const held = await claim(context)
    context.bank.script = () => ({ outcome: 'not-accepted', cause: 'http-503' })
    const results = await askBank(context, held)
    await cancel(context, organizationId, bulk_id)
    await assert.rejects(recordClaim(diesAfterRecording(context), held, results), /died/)
    assert.deepEqual(await counts(), { status: 'PROCESSING', pending: 40 })
    context.bank.script = () => 'execute'
    await letTimePass()
    await workOff(context)
    assert.deepEqual(await counts(), { status: 'CANCELLED', cancelled: 40 })
    assert.equal(context.bank.calls.length, 40)
  })

  it('reaches what waits in back-off', async () => {
    const { context, organizationId, bulk_id, counts } = await arrange({ transfers: 120 })
    context.bank.script = () => ({ outcome: 'not-accepted', cause: 'ECONNREFUSED' })
    await workOff(context)
    assert.deepEqual(await cancel(context, organizationId, bulk_id), { count: 120, amount: '12000.00' })
    assert.deepEqual(await counts(), { status: 'CANCELLED', cancelled: 120 })
    assert.deepEqual(await money(organizationId), ['100000.00', '0.00'])
  })

  it('leaves alone what is UNKNOWN or SENT: only the bank ends it', async () => {
    const { context, organizationId, bulk_id, counts } = await arrange({ transfers: 3 })
    context.bank.script = ({ reference }) =>
      [
        { outcome: 'unknown' as const, cause: 'timeout' },
        { outcome: 'taken' as const },
        { outcome: 'not-accepted' as const, cause: 'x' }
      ][Number(reference.at(-1))]!
    await executeClaim(context, await claim(context))
    assert.deepEqual(await cancel(context, organizationId, bulk_id), { count: 1, amount: '100.00' })
    assert.deepEqual(await counts(), { status: 'PROCESSING', unknown: 1, processing: 1, cancelled: 1 })
    assert.deepEqual(await money(organizationId), ['100000.00', '200.00'])
    context.bank.script = (order) => {
      context.bank.executed.set(order.reference, order)
      return 'execute'
    }
    await letTimePass()
    await workOff(context)
    assert.deepEqual(await counts(), { status: 'PARTIALLY_COMPLETED', executed: 2, cancelled: 1 })
  })

  it('says only what it cancelled itself when it is repeated, as often as one likes', async () => {
    const { context, organizationId, bulk_id } = await arrange({ transfers: 3 })
    const none = { count: 0, amount: '0.00' }
    assert.deepEqual(await cancel(context, organizationId, bulk_id), { count: 3, amount: '300.00' })
    for (let again = 0; again < 3; again++)
      assert.deepEqual(await cancel(context, organizationId, bulk_id), none)
  })

  it('repeated by twenty at once is done once and refused to none', async () => {
    for (let round = 0; round < 5; round++) {
      const { context, organizationId, bulk_id, counts } = await arrange({ transfers: 50 })
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => cancel(context, organizationId, bulk_id))
      )
      const cancelled = answers.map((answer) => (typeof answer === 'string' ? answer : answer.count))
      assert.deepEqual(cancelled.toSorted(), [...Array<number>(19).fill(0), 50])
      assert.deepEqual(await counts(), { status: 'CANCELLED', cancelled: 50 })
    }
  })

  it('is refused by a bulk that ended by itself, and finds none that does not exist or is of another', async () => {
    const { context, organizationId, bulk_id, counts } = await arrange({ transfers: 3 })
    await workOff(context)
    const before = await counts()
    const other = await anOrganization(stage.db)
    assert.equal(await cancel(context, organizationId, bulk_id), 'not-cancellable')
    assert.equal(await cancel(context, organizationId, randomUUID()), 'not-found')
    assert.equal(await cancel(context, other, bulk_id), 'not-found')
    assert.deepEqual(await counts(), before)
  })

  it('beside on_failure stop cancels each transfer once', async () => {
    const { context, organizationId, bulk_id, counts } = await arrange({ transfers: 100, on_failure: 'stop' })
    context.bank.script = () => ({ outcome: 'rejected', code: 'AC04', message: '' })
    const held = await claim(context)
    const results = await askBank(context, held)
    const [, now] = await Promise.all([
      recordClaim(context, held, results),
      cancel(context, organizationId, bulk_id)
    ])
    assert.notEqual(now, 'not-cancellable')
    assert.deepEqual(await counts(), { status: 'FAILED', failed: 10, cancelled: 90 })
    assert.deepEqual(await money(organizationId), ['100000.00', '0.00'])
  })
})

for (const seed of [1, 2, 3])
  it(`cancellations beside claims and records: each transfer is sent or cancelled, never both (seed ${seed})`, async () => {
    const random = randomFrom(seed)
    const { context, organizationId, ...first } = await arrange({ transfers: 60 }, { CHUNK_SIZE: 7 })
    const others = await Promise.all(
      Array.from({ length: 11 }, (_, nr) =>
        stage.submit(context, organizationId, {
          transfers: 60,
          on_failure: nr % 3 === 0 ? 'stop' : 'continue'
        })
      )
    )
    const bulks = [first, ...others]
    context.bank.script = async () => {
      for (let turns = random() * 20; turns > 0; turns--) await turn()
      const chance = random()
      if (chance < 0.1) return { outcome: 'rejected', code: 'AC04', message: '' }
      return chance < 0.3 ? { outcome: 'not-accepted', cause: 'http-503' } : 'execute'
    }
    let cancelled = 0
    const cancels = bulks
      .flatMap((bulk) => [bulk, bulk])
      .map(async ({ bulk_id }) => {
        for (let turns = random() * 200; turns > 0; turns--) await turn()
        const now = await cancel(context, organizationId, bulk_id)
        cancelled += typeof now === 'string' ? 0 : now.count
      })
    await Promise.all([...cancels, ...Array.from({ length: 5 }, () => workOff(context))])
    context.bank.script = () => 'execute'
    await letTimePass()
    await workOff(context)

    const ended = (await Promise.all(bulks.map(({ transfers }) => transfers()))).flat()
    assert.ok(ended.every(({ status }) => ['EXECUTED', 'FAILED', 'CANCELLED'].includes(status)))
    assert.ok(cancelled > 0 && context.bank.executed.size > 0, 'nothing happened: this run shows nothing')
    const executed = ended
      .filter(({ status }) => status === 'EXECUTED')
      .map((transfer) => transfer.transfer_id)
    assert.deepEqual(executed.toSorted(), [...context.bank.executed.keys()].toSorted())
    assert.deepEqual(await money(organizationId), [`${100_000 - executed.length * 100}.00`, '0.00'])
  })

it('none of this breaks an invariant', prove)
