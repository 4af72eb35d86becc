import assert from 'node:assert/strict'
import { it } from 'node:test'
import { audit } from '../../src/reconciliation/audit.ts'
import { logOf } from '../support/scripted-bank.ts'
import { makeLedger, type Ledger } from './ledger.ts'

const runAudit = async ({ context }: Ledger) => {
  const result = await audit(context, {
    async *payments() {
      await Promise.resolve()
      yield* logOf(context.bank)
    }
  })
  return result.replace(/, \d+ ms$/, '')
}

it('makes an incident of a violation, once, and ends it when it is mended', async () => {
  const ledger = await makeLedger()
  const reference = await ledger.submit({ transfers: 3 })
  await ledger.work()
  assert.equal(await runAudit(ledger), '0 violations in 3 transfers')
  const order = ledger.context.bank.executed.get(reference(1))
  assert(order)
  ledger.context.bank.executed.delete(reference(1))
  for (let time = 0; time < 2; time++) assert.equal(await runAudit(ledger), '1 violations in 3 transfers')
  const look = () =>
    ledger.database.sql('select kind, subject, details, resolved_at is not null as resolved from incident')
  const incident = {
    kind: 'broken-invariant',
    subject: `I4 transfer ${reference(1)}`,
    details: 'it is EXECUTED, but the bank did not execute it'
  }
  assert.deepEqual(await look(), [{ ...incident, resolved: false }])

  ledger.context.bank.executed.set(order.reference, order)
  assert.equal(await runAudit(ledger), '0 violations in 3 transfers')
  assert.deepEqual(await look(), [{ ...incident, resolved: true }])
})

it('ends nothing because there is too much of it', async () => {
  const ledger = await makeLedger()
  const reference = await ledger.submit({ transfers: 101 })
  await ledger.work()
  const { executed } = ledger.context.bank
  executed.delete(reference(100))
  await runAudit(ledger)
  const orders = new Map(executed)
  executed.clear()
  assert.equal(await runAudit(ledger), '100 violations in 101 transfers')
  const open = () =>
    ledger.database.sql('select subject from incident where resolved_at is null order by incident_no')
  assert.deepEqual((await open())[0], { subject: `I4 transfer ${reference(100)}` })
  for (const [key, order] of orders) executed.set(key, order)
  await runAudit(ledger)
  assert.deepEqual(await open(), [{ subject: `I4 transfer ${reference(100)}` }])
})

it('opens nothing when the bank cannot be asked', async () => {
  const ledger = await makeLedger()
  await ledger.submit({ transfers: 1 })
  const away = {
    async *payments() {
      yield await Promise.reject(new Error('no route to the bank'))
    }
  }
  await assert.rejects(audit(ledger.context, away), /no route to the bank/)
  assert.deepEqual(await ledger.incidents(), [])
})
