import assert from 'node:assert/strict'
import { it } from 'node:test'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { aBulk } from '../support/builders.ts'
import { listen } from '../support/api.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const context = createTestContext(database, { CHUNK_SIZE: 2 })
const api = await listen(context)

it('the metrics tell what is open, how old it is, and every kind of incident', async () => {
  await api.post('/transfers/bulk', aBulk({ transfers: 5, amount: '1.00' }))
  context.bank.script = () => ({ outcome: 'unknown', cause: 'timeout' })
  const claim = await claimWork(context, 'test')
  assert.ok(claim)
  await executeClaim(context, claim)
  const { status, headers, body } = await api.ask('/metrics')
  assert.equal(status, 200)
  assert.match(headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
  const text = String(body)
  assert.match(text, /^bulkhead_open_transfers\{status="UNKNOWN"\} 4$/m)
  assert.match(text, /^bulkhead_open_transfers\{status="PENDING"\} 1$/m)
  assert.match(text, /^bulkhead_open_transfers\{status="SENT"\} 0$/m)
  assert.match(text, /^bulkhead_open_transfers_oldest_seconds\{status="UNKNOWN"\} [0-9.e-]+$/m)
  assert.match(text, /^bulkhead_work_overdue_seconds [0-9.e-]+$/m)
  assert.match(text, /^bulkhead_open_incidents\{kind="missing-at-bank"\} 0$/m)
})
