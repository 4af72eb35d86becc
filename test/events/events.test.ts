import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Context } from '../../src/context.ts'
import { cancelBulk } from '../../src/execution/cancel-bulk.ts'
import { receiveNotices, settleNotices } from '../../src/execution/notices.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { sweep } from '../../src/reconciliation/sweep.ts'
import { retryFailed } from '../../src/transfers/retry-failed.ts'
import { submitBulk } from '../../src/transfers/submit-bulk.ts'
import { aBulk, anOrganization, aTransfer } from '../support/builders.ts'
import { claim, createStage, noticeOf, workOff } from '../execution/stage.ts'

const stage = await createStage()
const { sql } = stage

interface Row {
  type: string
  version: number
  actor: string
  trace_id: string | null
  data: Record<string, unknown>
}

/** What is told of a bulk, in order. */
const eventsOf = (bulk_id: string) =>
  sql<Row>(
    `select type, e.version, actor, e.trace_id, data from event e join bulk using (organization_id, bulk_no)
     where request_id = $1 order by event_no`,
    [bulk_id]
  )
const typesOf = async (bulk_id: string) => (await eventsOf(bulk_id)).map(({ type }) => type)
const origin = { actor: 'key:abc', trace_id: '0123456789abcdef0123456789abcdef' }

describe('the events of a bulk', () => {
  it('tell of its life in order, and in the trace of the request that began it', async () => {
    const context = await stage.open({ CHUNK_SIZE: 1 })
    const organizationId = await anOrganization(stage.db)
    const bulk = aBulk({ transfers: 4 })
    await submitBulk({ ...context, origin }, organizationId, bulk)
    const traces: unknown[] = []
    const submit: Context['bank']['submit'] = (order, call) => {
      traces.push(call?.trace_id)
      return context.bank.submit(order, call)
    }
    const worker = { ...context, bank: { ...context.bank, submit } }
    for (let chunk = 0; chunk < 2; chunk++) await executeClaim(worker, await claim(context))
    assert.deepEqual(traces, Array(4).fill(origin.trace_id))
    const events = await eventsOf(bulk.request_id)
    assert.deepEqual(
      events.map(({ type, version, actor, trace_id }) => [type, version, actor, trace_id]),
      [
        ['bulk.accepted', 1, 'key:abc', origin.trace_id],
        ['bulk.processing', 2, 'bulkhead', origin.trace_id],
        ['transfers.settled', 3, 'bulkhead', origin.trace_id],
        ['bulk.progress', 3, 'bulkhead', origin.trace_id],
        ['transfers.settled', 5, 'bulkhead', origin.trace_id],
        ['bulk.completed', 5, 'bulkhead', origin.trace_id]
      ]
    )
    assert.deepEqual(events[2]?.data, {
      bulk_id: bulk.request_id,
      items: [{ status: 'EXECUTED', reason_code: null, indexes: [0, 1] }]
    })
    assert.equal(events[3]?.data['percent'], 50)
    assert.equal(events[3].data['progress'], 0.5)
  })

  it('end with what GET says of its end, but for what comes with time', async () => {
    const { context, bulk_id, status } = await stage.arrange({
      credit_transfers: ['10.00', '0.05', '999.99'].map((amount) => aTransfer({ amount }))
    })
    context.bank.script = ({ amount_minor }) =>
      amount_minor === 5n ? { outcome: 'rejected', code: 'AC04', message: 'closed' } : 'execute'
    await workOff(context)
    const last = (await eventsOf(bulk_id)).at(-1)
    const { needs_attention, ...said } = await status()
    assert.equal(last?.type, 'bulk.completed')
    assert.equal(needs_attention, false)
    assert.deepEqual(last.data, said)
    assert.deepEqual((await eventsOf(bulk_id)).at(-2)?.data['items'], [
      { status: 'EXECUTED', reason_code: null, indexes: [0, 2] },
      { status: 'FAILED', reason_code: 'AC04', indexes: [1] }
    ])
  })

  it('tell once that it is being processed, however many claim it first', async () => {
    const { context, bulk_id } = await stage.arrange({ transfers: 20 }, { CHUNK_SIZE: 1 })
    await Promise.all(Array.from({ length: 10 }, () => workOff(context)))
    const types = await typesOf(bulk_id)
    assert.equal(types.filter((type) => type === 'bulk.processing').length, 1)
    assert.deepEqual(
      types.filter((type) => type === 'bulk.progress').length <= 3 && types.at(-1),
      'bulk.completed'
    )
  })

  it('tell nothing of an answer that ended nothing', async () => {
    const { context, bulk_id } = await stage.arrange({ transfers: 1 })
    context.bank.script = () => ({ outcome: 'unknown', cause: 'timeout' })
    await executeClaim(context, await claim(context))
    assert.deepEqual(await typesOf(bulk_id), ['bulk.accepted', 'bulk.processing'])
  })

  it('name who cancelled it', async () => {
    const { context, organizationId, bulk_id } = await stage.arrange({ transfers: 2 })
    await cancelBulk({ ...context, origin }, organizationId, bulk_id)
    await cancelBulk(context, organizationId, bulk_id)
    const events = await eventsOf(bulk_id)
    assert.deepEqual(
      events.map(({ type, actor }) => [type, actor]),
      [
        ['bulk.accepted', 'bulkhead'],
        ['bulk.stopped', 'key:abc'],
        ['transfers.settled', 'key:abc'],
        ['bulk.completed', 'key:abc']
      ]
    )
    assert.equal(events[3]?.data['status'], 'CANCELLED')
  })

  it('tell of a retry of what bulk it is one', async () => {
    const { context, organizationId, bulk_id } = await stage.arrange({ transfers: 1 })
    context.bank.script = () => ({ outcome: 'rejected', code: 'AC04', message: 'closed' })
    await workOff(context)
    const { request_id } = aBulk()
    await retryFailed(context, organizationId, { bulk_id, request_id })
    const [accepted] = await eventsOf(request_id)
    assert.deepEqual([accepted?.type, accepted?.data['retry_of']], ['bulk.accepted', bulk_id])
  })

  it('tell of money that came back, and of what contradicts the end', async () => {
    const { context, bulk_id, transfers } = await stage.arrange({ transfers: 2 })
    await workOff(context)
    const [first, second] = await transfers()
    assert.ok(first && second)
    await receiveNotices(
      context,
      [noticeOf(first, 'RETURNED'), noticeOf(first, 'RETURNED'), noticeOf(second, 'REJECTED')],
      'callback'
    )
    await settleNotices(context)
    const later = (await eventsOf(bulk_id)).slice(4)
    assert.deepEqual(later.map(({ type, version }) => [type, version]).sort(), [
      ['bulk.needs_attention', later.find(({ type }) => type === 'bulk.needs_attention')?.version],
      ['transfers.returned', later.find(({ type }) => type === 'transfers.returned')?.version]
    ])
    const returned = later.find(({ type }) => type === 'transfers.returned')
    assert.deepEqual(returned?.data, {
      bulk_id,
      index: 0,
      amount: first.amount,
      currency: 'EUR',
      reason_code: 'AC06'
    })
    const attention = later.find(({ type }) => type === 'bulk.needs_attention')
    assert.equal(attention?.data['kind'], 'contradictory-result')
    assert.notEqual(attention.version, returned.version)
  })

  it('tell once that an outcome stays unknown', async () => {
    const { context, bulk_id, status } = await stage.arrange({ transfers: 1 })
    context.bank.script = () => ({ outcome: 'unknown', cause: 'timeout' })
    await executeClaim(context, await claim(context))
    await sweep(context)
    const before = await typesOf(bulk_id)
    await sql(
      `begin; set local session_replication_role = replica;
       update chunk set since = since - interval '16 minutes' where due_at is not null; commit`
    )
    await sweep(context)
    await sweep(context)
    assert.deepEqual(await typesOf(bulk_id), [...before, 'bulk.needs_attention'])
    const last = (await eventsOf(bulk_id)).at(-1)
    assert.deepEqual([last?.version, last?.data['kind']], [(await status()).version, 'unknown-outcome'])
  })

  it('break no invariant', () => stage.prove())
})
