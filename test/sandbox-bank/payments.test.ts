import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openPaymentBank } from '../../src/sandbox-bank/payment-bank.ts'
import { readOrder } from '../../src/sandbox-bank/payment-order.ts'
import { scenarios } from '../../src/sandbox-bank/scenarios.ts'
import {
  ask,
  list,
  newLogFile,
  order,
  orders,
  post,
  postAll,
  referencesInLog,
  startBank
} from './bank-harness.ts'

const EMPTY = { count: 0, total_amount: '0.00', payments: [], has_more: false, next_cursor: null }

describe('sandbox bank payments', () => {
  it('executes a payment once and tells the same of it ever after', async (t) => {
    const { url } = await startBank(t)
    const first = await post(url, order({ amount: '100' }))
    const { executed_at, ...rest } = first.body as { executed_at: string }
    assert.equal(new Date(executed_at).toISOString(), executed_at)
    assert.deepEqual(rest, {
      reference: 'payment-1',
      status: 'EXECUTED',
      amount: '100.00',
      currency: 'EUR',
      counterparty_iban: 'EE383680981021245685'
    })
    assert.equal(first.status, 201)
    const again = { status: 200, body: first.body }
    assert.deepEqual(await post(url, order({ amount: '100.00' })), again)
    assert.deepEqual(await ask(`${url}/payments/payment-1`), again)
    assert.deepEqual((await list(url)).payments, [first.body])
  })

  it('executes once under 50 identical posts at once', async (t) => {
    const logFile = newLogFile(t)
    const { url } = await startBank(t, { logFile })
    const replies = await Promise.all(Array.from({ length: 50 }, () => post(url, order())))
    const statuses = replies.map(({ status }) => status).sort()
    assert.deepEqual(statuses, [...Array.from({ length: 49 }, () => 200), 201])
    assert.ok(replies.every(({ body }) => JSON.stringify(body) === JSON.stringify(replies[0]?.body)))
    assert.deepEqual(referencesInLog(logFile), ['payment-1'])
  })

  it('waits for a payment on its way to the disk before it tells whether it received it', async (t) => {
    const bank = await openPaymentBank(newLogFile(t))
    t.after(() => bank.close())
    const reading = readOrder(order())
    assert.ok(reading.outcome === 'read')
    const [submission, inquiry] = await Promise.all([bank.submit(reading.order), bank.find('payment-1')])
    assert.ok(submission.outcome === 'recorded')
    assert.deepEqual(inquiry, { outcome: 'found', record: submission.record })
  })

  it('lets one of two different orders under one reference through when they race', async (t) => {
    const { url } = await startBank(t)
    const replies = await Promise.all(['1.00', '2.00'].map((amount) => post(url, order({ amount }))))
    assert.deepEqual(replies.map(({ status }) => status).sort(), [201, 409])
    assert.equal((await list(url)).count, 1)
  })

  for (const changes of [
    { amount: '100.01' },
    { debtor_iban: 'DE89370400440532013000' },
    { counterparty_name: 'Other' },
    { counterparty_bic: 'DEUTDEFF' },
    { counterparty_iban: 'DE89370400440532013000' },
    { description: 'Other' }
  ]) {
    it(`refuses a used reference with another ${Object.keys(changes).join()}`, async (t) => {
      const { url } = await startBank(t)
      await post(url, order())
      assert.deepEqual(await post(url, order(changes)), {
        status: 409,
        body: {
          reason: 'reference-reused',
          details: 'This reference belongs to a payment with other content.'
        }
      })
      const { count, total_amount } = await list(url)
      assert.deepEqual({ count, total_amount }, { count: 1, total_amount: '100.00' })
    })
  }

  it('finds a reference with any printable character and no other', async (t) => {
    const { url } = await startBank(t)
    const reference = 'a/b?c#d%e&f'
    await post(url, order({ reference }))
    const found = await ask(`${url}/payments/${encodeURIComponent(reference)}`)
    assert.equal((found.body as { reference: string }).reference, reference)
    const missing = await ask(`${url}/payments/a`)
    assert.equal(missing.status, 404)
    assert.equal((missing.body as { reason: string }).reason, 'payment-not-found')
  })

  it('adds cents exactly', async (t) => {
    const { url } = await startBank(t)
    await postAll(url, orders(1000, 'cent', { amount: '0.01' }))
    assert.equal((await list(url)).total_amount, '10.00')
    await post(url, order({ amount: '999999999.99' }))
    assert.equal((await list(url)).total_amount, '1000000009.99')
  })

  for (const { deed, counterparty_iban: iban } of scenarios) {
    if (deed.kind !== 'reject') continue
    const { reason } = deed
    it(`rejects payments to ${iban} with ${reason.code}, durably and outside the totals`, async (t) => {
      const logFile = newLogFile(t)
      const bank = await startBank(t, { logFile })
      const first = await post(bank.url, order({ counterparty_iban: iban }))
      const { rejected_at, ...rest } = first.body as { rejected_at: string }
      assert.equal(new Date(rejected_at).toISOString(), rejected_at)
      const { reference, amount, currency } = order()
      assert.deepEqual(rest, {
        ...{ reference, status: 'REJECTED', reason, executed_at: null },
        ...{ amount, currency, counterparty_iban: iban }
      })
      await bank.stop()
      const { url } = await startBank(t, { logFile })
      assert.deepEqual(await post(url, order({ counterparty_iban: iban })), first)
      assert.deepEqual(await ask(`${url}/payments/payment-1`), first)
      assert.equal((await post(url, order())).status, 409)
      assert.deepEqual(await list(url), EMPTY)
    })
  }

  it('answers no sooner than its latency', async (t) => {
    const { url } = await startBank(t, { latencyMs: 40 })
    const before = performance.now()
    await post(url, order())
    assert.ok(performance.now() - before >= 39)
  })

  it('tells its health and where its log is', async (t) => {
    const logFile = newLogFile(t)
    const { url } = await startBank(t, { logFile })
    const body = { service: 'bulkhead-sandbox-bank', status: 'ok', log_file: logFile }
    assert.deepEqual(await ask(`${url}/health`), { status: 200, body })
  })
})
