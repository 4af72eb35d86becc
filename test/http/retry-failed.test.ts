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

/** A bulk of which the second transfer failed. */
async function partlyFailed() {
  const bulk = aBulk({ transfers: 3, amount: '1.00' })
  assert.equal((await api.post('/transfers/bulk', bulk)).status, 201)
  context.bank.script = ({ reference }) =>
    reference.endsWith('-1') ? { outcome: 'rejected', code: 'AC04', message: 'closed' } : 'execute'
  for (let next = await claimWork(context, 'test'); next; next = await claimWork(context, 'test'))
    await executeClaim(context, next)
  return { bulk_id: bulk.request_id, path: `/transfers/bulk/${bulk.request_id}` }
}

const retry = (path: string, body: unknown) => api.post(`${path}/retry-failed`, body)

describe('POST /transfers/bulk/{bulk_id}/retry-failed', () => {
  it('accepts a bulk of the failed transfers, linked to theirs, and replays its answer', async () => {
    const { path, bulk_id } = await partlyFailed()
    const request_id = randomUUID()
    const first = await retry(path, { request_id })
    const { accepted_at, ...rest } = first.body
    assert.ok(Date.parse(accepted_at))
    assert.deepEqual([first.status, first.headers.get('location')], [201, `/transfers/bulk/${request_id}`])
    assert.deepEqual(rest, {
      bulk_id: request_id,
      message: 'Bulk transfer accepted',
      status: 'PENDING',
      status_url: `/transfers/bulk/${request_id}/status`,
      held: false,
      transfer_count: 1,
      total_amount: '1.00',
      currency: 'EUR',
      warnings: [],
      warnings_total: 0
    })
    const again = await retry(path, { request_id })
    assert.deepEqual([again.status, again.headers.get('idempotent-replayed')], [201, 'true'])
    assert.deepEqual(again.body, first.body)
    assert.equal((await api.ask(`/transfers/bulk/${request_id}`)).body.retry_of, bulk_id)
    const [failed] = (await api.ask(`${path}/transfers?status=FAILED`)).body.data
    const [repeated] = (await api.ask(`/transfers/bulk/${request_id}/transfers`)).body.data
    assert.deepEqual([failed.retried_as, repeated.retry_of], [repeated.transfer_id, failed.transfer_id])
  })

  it('is 409 nothing-to-retry once all were retried', async () => {
    const { path } = await partlyFailed()
    await retry(path, { request_id: randomUUID() })
    const { status, body } = await retry(path, { request_id: randomUUID() })
    assert.deepEqual([status, body.error.reason], [409, 'nothing-to-retry'])
    assert.match(body.detail, /retried_as/)
  })

  it('is 422 already-processed for the request_id of another bulk', async () => {
    const { path, bulk_id } = await partlyFailed()
    const { status, body } = await retry(path, { request_id: bulk_id })
    assert.deepEqual([status, body.error.reason, body.bulk_id], [422, 'already-processed', bulk_id])
    assert.equal(body.message, 'Bulk transfer denied')
  })

  it('is 404 for a bulk that does not exist or is of another', async () => {
    const { path } = await partlyFailed()
    const other = await listen(context, { organizationId: await anOrganization(database.db) })
    for (const id of [randomUUID(), 'x'])
      assert.equal((await retry(`/transfers/bulk/${id}`, { request_id: randomUUID() })).status, 404)
    assert.equal((await other.post(`${path}/retry-failed`, { request_id: randomUUID() })).status, 404)
  })

  const bad: [unknown, number, string][] = [
    [{ request_id: 'x' }, 422, 'invalid-request-id'],
    [{ request_id: '' }, 422, 'invalid-request-id'],
    [{ request_id: '{123e4567-e89b-12d3-a456-426614174000}' }, 422, 'invalid-request-id'],
    [{ request_id: 1 }, 422, 'invalid-request'],
    [{ request_id: 'x'.repeat(101) }, 422, 'invalid-request'],
    [{}, 422, 'invalid-request'],
    [[], 422, 'invalid-request'],
    ['null', 422, 'invalid-request'],
    [{ request_id: randomUUID(), all: true }, 422, 'invalid-request'],
    ['{', 400, 'malformed-json'],
    ['', 400, 'malformed-json']
  ]
  for (const [body, status, reason] of bad)
    it(`refuses ${JSON.stringify(body).slice(0, 60)} with the one error body`, async () => {
      const { path } = await partlyFailed()
      const answer = await retry(path, body)
      assert.deepEqual(
        [answer.status, answer.body.error?.reason, answer.body.status],
        [status, reason, status]
      )
      assert.equal(answer.headers.get('content-type'), 'application/problem+json')
      assert.ok(answer.body.trace_id && Array.isArray(answer.body.errors))
    })
})
