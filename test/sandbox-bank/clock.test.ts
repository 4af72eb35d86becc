import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { advance, ask, describeReply, ibanOf, list, newLogFile } from './bank-harness.ts'
import {
  order,
  orders,
  orderTo,
  post,
  postAll,
  referencesInLog,
  spawnBank,
  startBank
} from './bank-harness.ts'

const find = async (url: string, reference: string) =>
  describeReply(await ask(`${url}/payments/${reference}`))

describe('sandbox bank clock', () => {
  it('moves forward and stamps what happens from then on', async (t) => {
    const { url } = await startBank(t)
    const { body } = await advance(url, 86_400)
    const { now } = body as { now: string }
    assert.ok(Date.parse(now) - Date.now() > 86_300_000)
    const payment = (await post(url, order())).body as { executed_at: string }
    assert.ok(payment.executed_at >= now)
  })

  for (const seconds of [0, -1, 1.5, 31 * 86_400 + 1, '5', null, undefined, [5]]) {
    it(`refuses to move by ${JSON.stringify(seconds)}`, async (t) => {
      const { url } = await startBank(t)
      const { status, body } = await advance(url, seconds)
      assert.deepEqual([status, (body as { reason: string }).reason], [422, 'invalid-seconds'])
    })
  }

  it('refuses a body that is no object', async (t) => {
    const { url } = await startBank(t)
    const move = async (body: string) => (await ask(`${url}/clock/advance`, { method: 'POST', body })).status
    assert.deepEqual([await move(''), await move('5'), await move('[]')], [400, 422, 422])
  })

  it('runs by itself as well', async (t) => {
    const { url } = await startBank(t)
    await post(url, orderTo('accepted-then-executed'))
    await advance(url, 2)
    while ((await find(url, 'payment-1')) === '200 PENDING') await new Promise((r) => setTimeout(r, 20))
    assert.equal(await find(url, 'payment-1'), '200 EXECUTED')
  })
})

describe('sandbox bank promises', () => {
  for (const [name, before, after] of [
    ['accepted-then-executed', '200 PENDING', '200 EXECUTED'],
    ['accepted-then-rejected', '200 PENDING', '200 REJECTED'],
    ['not-found-then-executed', '404 payment-not-found', '200 EXECUTED'],
    ['unknown-for-ever', '500 outcome-unknown', '500 outcome-unknown']
  ] as const) {
    it(`survive a restart between the submission and the result: ${name}`, async (t) => {
      const logFile = newLogFile(t)
      const bank = await startBank(t, { logFile })
      const submitting = post(bank.url, orderTo(name)).catch(() => undefined)
      while (referencesInLog(logFile).length === 0) await new Promise(setImmediate)
      await bank.stop()
      await submitting
      const { url } = await startBank(t, { logFile })
      assert.equal(await find(url, 'payment-1'), before)
      await advance(url, 10)
      assert.equal(await find(url, 'payment-1'), after)
      assert.equal((await list(url)).count, after === '200 EXECUTED' ? 1 : 0)
    })
  }

  it('survive a restart between an execution and its return, and one after it', async (t) => {
    const logFile = newLogFile(t)
    const bank = await startBank(t, { logFile })
    await post(bank.url, orderTo('returned-after-5s'))
    await bank.stop()
    const second = await startBank(t, { logFile })
    await advance(second.url, 5)
    const returned = await ask(`${second.url}/payments/payment-1`)
    assert.ok('return' in (returned.body as object))
    await second.stop()
    const { url } = await startBank(t, { logFile })
    await advance(url, 60)
    assert.deepEqual(await ask(`${url}/payments/payment-1`), returned)
    assert.equal(((await ask(`${url}/statement`)).body as { entries: [] }).entries.length, 2)
  })

  it('are kept after a restart by a clock that does not go back', async (t) => {
    const logFile = newLogFile(t)
    const bank = await startBank(t, { logFile })
    await advance(bank.url, 86_400)
    await post(bank.url, orderTo('accepted-then-executed'))
    await bank.stop()
    const { url } = await startBank(t, { logFile })
    await advance(url, 3)
    assert.equal(await find(url, 'payment-1'), '200 EXECUTED')
  })

  it('survive kill -9, and none is kept twice', async (t) => {
    const logFile = newLogFile(t)
    const taken: string[] = []
    for (const round of [1, 2, 3]) {
      const { child, url } = await spawnBank(t, logFile)
      const exit = once(child, 'exit')
      const names = ['accepted-then-executed', 'returned-after-5s']
      const batches = names.map((name) => orders(50, `${round}-${name}`, { counterparty_iban: ibanOf(name) }))
      const replies = await postAll(url, batches.flat())
      taken.push(...replies.map(({ body }) => (body as { reference: string }).reference))
      // It dies in the middle of keeping them.
      const advancing = advance(url, 60).catch(() => undefined)
      if (round === 1) child.kill('SIGKILL')
      else setImmediate(() => child.kill('SIGKILL'))
      await Promise.all([advancing, exit])
    }
    const { url } = await startBank(t, { logFile })
    await advance(url, 60)
    assert.equal((await list(url)).count, taken.length)
    const lines = referencesInLog(logFile)
    assert.equal(lines.length, taken.length * 2)
    for (const reference of taken) assert.equal(lines.filter((line) => line === reference).length, 2)
  })
})
