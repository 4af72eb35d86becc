import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Callbacks } from '../../src/sandbox-bank/callbacks.ts'
import type { Notice } from '../../src/sandbox-bank/present-payment.ts'
import { readSettings } from '../../src/settings.ts'
import { advance, ask, describeReply, ibanOf, order, orderTo, post, startBank } from './bank-harness.ts'
import { startReceiver } from './callback-receiver.ts'

const closed = { code: 'AC04', message: 'Closed account' }

function notice(reference: string): Notice {
  const { amount, currency, counterparty_iban } = order() as unknown as Notice
  const at = new Date().toISOString()
  return { notice_id: reference, reference, status: 'EXECUTED', amount, currency, counterparty_iban, at }
}

describe('sandbox bank callbacks', () => {
  it('tells a result that was not in the answer, signed', async (t) => {
    const { callback, calls, notices } = await startReceiver(t)
    const { url } = await startBank(t, { callback })
    await post(url, orderTo('accepted-then-rejected'))
    await advance(url, 3)
    const [notice] = await notices(1)
    const { body } = await ask(`${url}/payments/payment-1`)
    const { notice_id, ...rest } = notice!
    assert.match(notice_id, /^[\x21-\x7e]{1,64}$/)
    assert.deepEqual(rest, {
      reference: 'payment-1',
      status: 'REJECTED',
      amount: '100.00',
      currency: 'EUR',
      counterparty_iban: ibanOf('accepted-then-rejected'),
      reason: closed,
      at: (body as { rejected_at: string }).rejected_at
    })
    assert.ok(calls.every(({ signed }) => signed))
  })

  it('tells nothing of what it has answered, or believes to have', async (t) => {
    const { callback, notices } = await startReceiver(t)
    const { url } = await startBank(t, { callback })
    await post(url, order({ reference: 'ordinary' }))
    await post(url, orderTo('reject-AC01', { reference: 'rejected' }))
    await post(url, orderTo('502-executed', { reference: 'lost' })).catch(() => undefined)
    await post(url, orderTo('accepted-then-executed'))
    await advance(url, 60)
    assert.deepEqual(
      (await notices(1)).map(({ reference, status }) => [reference, status]),
      [['payment-1', 'EXECUTED']]
    )
  })

  it('tells a return three times under one id, with the amount that came back', async (t) => {
    const { callback, notices } = await startReceiver(t)
    const { url } = await startBank(t, { callback })
    await post(url, orderTo('returned-after-5s'))
    await post(url, orderTo('returned-partly', { reference: 'part' }))
    await advance(url, 5)
    const [first, second, third, part] = await notices(4)
    assert.deepEqual([second, third], [first, first])
    assert.deepEqual(
      [first, part].map((notice) => [notice?.status, notice?.amount, notice?.reason]),
      [
        ['RETURNED', '100.00', closed],
        ['RETURNED', '99.99', closed]
      ]
    )
  })

  it('tells again what it has answered, three times, or the contrary', async (t) => {
    const { callback, notices } = await startReceiver(t)
    const { url } = await startBank(t, { callback })
    assert.equal(describeReply(await post(url, orderTo('duplicate-answer'))), '201 EXECUTED')
    const [first, second, third] = await notices(3)
    assert.equal(first?.status, 'EXECUTED')
    assert.deepEqual([second, third], [first, first])
    const answer = await post(url, orderTo('contradiction', { reference: 'contradicted' }))
    assert.equal(describeReply(answer), '201 EXECUTED')
    const [, , , claim] = await notices(4)
    assert.deepEqual([claim?.reference, claim?.status, claim?.reason], ['contradicted', 'REJECTED', closed])
    assert.equal(describeReply(await ask(`${url}/payments/contradicted`)), '200 EXECUTED')
  })

  it('tells a result before it answers that the payment was taken', async (t) => {
    const { callback, calls } = await startReceiver(t)
    const { url } = await startBank(t, { callback })
    const answer = await post(url, orderTo('executed-told-before-accepted'))
    assert.equal(describeReply(answer), '202 PENDING')
    assert.deepEqual(
      calls.flatMap(({ notices }) => notices.map(({ status }) => status)),
      ['EXECUTED']
    )
  })

  it('sends again until a 2xx takes it, under the same id, and blocks no payment meanwhile', async (t) => {
    const { callback, calls, answers, notices } = await startReceiver(t)
    answers.push(500, 302, 404)
    const { url } = await startBank(t, { callback })
    await post(url, orderTo('accepted-then-executed'))
    await advance(url, 3)
    assert.equal((await post(url, order({ reference: 'other' }))).status, 201)
    const told = await notices(4)
    assert.deepEqual(new Set(told.map(({ notice_id }) => notice_id)).size, 1)
    assert.equal(calls.length, 4)
    assert.ok(calls.every(({ signed }) => signed))
  })

  it('sends what waits in calls of at most 100 notices, in order', async (t) => {
    const { callback, calls, answers } = await startReceiver(t)
    answers.push(500)
    const callbacks = new Callbacks(callback)
    t.after(() => callbacks.stop())
    const notices = Array.from({ length: 250 }, (_, index) => notice(`payment-${index}`))
    await Promise.all(notices.map((each) => callbacks.tell(each)))
    // The first goes out alone, and once more with those that have come meanwhile.
    assert.deepEqual(
      calls.map((call) => call.notices),
      [notices.slice(0, 1), notices.slice(0, 100), notices.slice(100, 200), notices.slice(200)]
    )
  })

  it('stops while nobody takes its calls', async (t) => {
    const { callback, answers, notices } = await startReceiver(t)
    answers.push(...Array.from({ length: 100 }, () => 500))
    const bank = await startBank(t, { callback })
    await post(bank.url, orderTo('duplicate-answer'))
    await notices(1)
    const before = performance.now()
    await bank.stop()
    assert.ok(performance.now() - before < 10_000)
  })

  it('needs a secret for an address to call', () => {
    const url = { SANDBOX_BANK_CALLBACK_URL: 'http://127.0.0.1:8000/bank/callbacks' }
    assert.deepEqual(readSettings(url), {
      outcome: 'invalid',
      errors: ['SANDBOX_BANK_CALLBACK_URL: callbacks have to be signed; set BANK_CALLBACK_SECRET.']
    })
    assert.equal(readSettings({ ...url, BANK_CALLBACK_SECRET: 'short' }).outcome, 'invalid')
    assert.equal(readSettings({ ...url, BANK_CALLBACK_SECRET: 'x'.repeat(16) }).outcome, 'ok')
  })
})
