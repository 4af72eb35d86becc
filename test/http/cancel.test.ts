import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { listen } from '../support/api.ts'
import { aBulk, anOrganization } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const context = createTestContext(database)
const api = await listen(context, { organizationId: await anOrganization(database.db) })

async function workOff(): Promise<void> {
  for (let next = await claimWork(context, 'test'); next; next = await claimWork(context, 'test'))
    await executeClaim(context, next)
}

async function accepted(transfers = 3) {
  const bulk = aBulk({ transfers, amount: '1.00' })
  assert.equal((await api.post('/transfers/bulk', bulk)).status, 201)
  return `/transfers/bulk/${bulk.request_id}`
}

const cancel = (path: string) => api.ask(`${path}/cancel`, { method: 'POST' })

describe('POST /transfers/bulk/{bulk_id}/cancel', () => {
  it('says what it cancelled and what the whole is now', async () => {
    const path = await accepted(250)
    const held = await claimWork(context, 'test')
    const { status, body } = await cancel(path)
    const { cancelled_now, ...now } = body
    assert.deepEqual([status, cancelled_now], [200, { count: 50, amount: '50.00' }])
    assert.deepEqual(now, (await api.ask(`${path}/status`)).body)
    assert.deepEqual([now.processing.count, now.cancelled.count, now.final], [200, 50, false])
    assert.ok((await api.ask(path)).body.stopped_at)
    await executeClaim(context, held!)
    assert.equal((await api.ask(`${path}/status`)).body.status, 'PARTIALLY_COMPLETED')
  })

  it('is repeated without harm, with a body or without', async () => {
    const path = await accepted()
    const json = { 'content-type': 'application/json' }
    const calls = [{}, { headers: json, body: '{}' }, { body: 'x' }, {}]
    const counts = []
    for (const call of calls)
      counts.push((await api.ask(`${path}/cancel`, { method: 'POST', ...call })).body.cancelled_now?.count)
    assert.deepEqual([counts[0], counts[1], counts[3]], [3, 0, 0])
    assert.equal((await api.ask(`${path}/status`)).body.status, 'CANCELLED')
  })

  it('is 409 not-cancellable for a bulk that has ended, and changes nothing', async () => {
    const path = await accepted()
    await workOff()
    const before = (await api.ask(path)).body
    const { status, headers, body } = await cancel(path)
    assert.deepEqual([status, body.error.reason, body.status], [409, 'not-cancellable', 409])
    assert.equal(headers.get('content-type'), 'application/problem+json')
    assert.match(body.detail, /COMPLETED/)
    assert.deepEqual((await api.ask(path)).body, before)
  })

  it('is 404 for a bulk that does not exist, whatever the id looks like, or is of another', async () => {
    const other = await listen(context, { organizationId: await anOrganization(database.db) })
    const path = await accepted()
    for (const id of [randomUUID(), 'x', '%00', "';--"])
      assert.equal((await cancel(`/transfers/bulk/${id}`)).status, 404)
    assert.equal((await other.ask(`${path}/cancel`, { method: 'POST' })).status, 404)
    assert.equal((await api.ask(`${path}/status`)).body.status, 'PENDING')
    assert.equal((await api.ask(`${path}/cancel`)).status, 404)
  })
})
