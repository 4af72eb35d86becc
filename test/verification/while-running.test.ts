import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Worker } from '../../src/execution/worker.ts'
import { verify, type BankLog } from '../../src/verification/verify.ts'
import { anOrganization } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'
import { logOf } from '../support/scripted-bank.ts'
import { submit } from './history.ts'

const rounds = 20
const bulksPerRound = 3
const amounts = Array.from({ length: 50 }, (_, index) => (index % 5 === 0 ? '0.02' : '0.01'))
const executed = rounds * bulksPerRound * 40

it('finds nothing wrong at any moment of a running system', async () => {
  const database = await createTestDatabase()
  const context = createTestContext(database, { CHUNK_SIZE: 5, POLL_MS: 50 })
  context.bank.script = (order) =>
    order.amount_minor === 2n ? { outcome: 'rejected', code: 'AC04', message: 'Closed account' } : 'execute'
  const bank: BankLog = {
    async *payments() {
      await Promise.resolve()
      yield* logOf(context.bank)
    }
  }
  const organization_id = await anOrganization(database.db)
  const worker = new Worker(context, 'test')
  await worker.start()

  const verifyNow = async () => {
    const { violations, checked } = await verify(database.db, bank)
    assert.deepEqual(violations, [])
    return checked
  }
  const submitSome = async () => {
    for (let bulk = 0; bulk < bulksPerRound; bulk++) await submit(context, organization_id, amounts)
  }
  for (let round = 0; round < rounds; round++) await Promise.all([submitSome(), verifyNow()])
  while ((await verifyNow()).bank_payments < executed);
  await worker.stop()
  const checked = await verifyNow()
  assert.equal(checked.transfers, rounds * bulksPerRound * amounts.length)
  assert.equal(checked.postings, executed + 1)
})
