import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { isValidIBAN } from 'ibantools'
import { scenarios } from '../../src/sandbox-bank/scenarios.ts'
import { advance, ask, describeReply, ibanOf, list, orderTo, post } from './bank-harness.ts'
import { startBank, tryPost } from './bank-harness.ts'

const NOT_FOUND = '404 payment-not-found'
const REJECTED = ['200 REJECTED', '200 REJECTED', '200 REJECTED', 0] as const

/** The first submission, an inquiry, a second submission, and the executions by then. */
const BEHAVIOUR: Record<
  string,
  readonly [first: string, inquiry: string, repeat: string, executions: number]
> = {
  accept: ['201 EXECUTED', '200 EXECUTED', '200 EXECUTED', 1],
  'reject-AC01': REJECTED,
  'reject-AC04': REJECTED,
  'reject-AC06': REJECTED,
  'reject-AG01': REJECTED,
  'reject-AM05': REJECTED,
  'reject-RC01': REJECTED,
  'reject-RR04': REJECTED,
  'reject-MS03': REJECTED,
  'timeout-then-not-executed': ['silence', NOT_FOUND, '201 EXECUTED', 1],
  'reset-before-execution': ['cut off', NOT_FOUND, '201 EXECUTED', 1],
  'invalid-payment': ['422 invalid-payment', NOT_FOUND, '422 invalid-payment', 0],
  '429': ['429 too-many-requests', NOT_FOUND, '201 EXECUTED', 1],
  '500-not-executed': ['500 outcome-unknown', NOT_FOUND, '201 EXECUTED', 1],
  '503-not-executed': ['503 unavailable', NOT_FOUND, '201 EXECUTED', 1],
  'timeout-then-executed': ['silence', '200 EXECUTED', '200 EXECUTED', 1],
  'late-answer': ['silence', '200 EXECUTED', '200 EXECUTED', 1],
  'reset-after-execution': ['cut off', '200 EXECUTED', '200 EXECUTED', 1],
  'slow-drip': ['silence', '200 EXECUTED', '200 EXECUTED', 1],
  'huge-body': ['200 EXECUTED', '200 EXECUTED', '200 EXECUTED', 1],
  'wrong-amount': ['201 EXECUTED', '200 EXECUTED', '200 EXECUTED', 1],
  'wrong-reference': ['201 EXECUTED', '200 EXECUTED', '200 EXECUTED', 1],
  'wrong-currency': ['201 EXECUTED', '200 EXECUTED', '200 EXECUTED', 1],
  html: ['200 HTML', '200 EXECUTED', '200 EXECUTED', 1],
  redirect: ['302 HTML', '200 EXECUTED', '200 EXECUTED', 1],
  '500-executed': ['500 outcome-unknown', '200 EXECUTED', '200 EXECUTED', 1],
  '502-executed': ['502 HTML', '200 EXECUTED', '200 EXECUTED', 1],
  '503-executed': ['503 HTML', '200 EXECUTED', '200 EXECUTED', 1],
  'not-found-then-executed': ['silence', NOT_FOUND, 'silence', 0],
  'accepted-then-executed': ['202 PENDING', '200 PENDING', '202 PENDING', 0],
  'accepted-then-rejected': ['202 PENDING', '200 PENDING', '202 PENDING', 0],
  'executed-told-before-accepted': ['202 PENDING', '200 EXECUTED', '200 EXECUTED', 1],
  'duplicate-answer': ['201 EXECUTED', '200 EXECUTED', '200 EXECUTED', 1],
  contradiction: ['201 EXECUTED', '200 EXECUTED', '200 EXECUTED', 1],
  'returned-after-5s': ['201 EXECUTED', '200 EXECUTED', '200 EXECUTED', 1],
  'returned-partly': ['201 EXECUTED', '200 EXECUTED', '200 EXECUTED', 1],
  'unknown-for-ever': ['silence', '500 outcome-unknown', 'silence', 0]
}

interface Payment {
  status?: string
  reason?: { code: string }
  return?: { amount: string; reason: { code: string }; returned_at: string }
}

/** What a payment has become, in the words that a payment engine uses for its transfer. */
function endOf({ status, body }: { status: number; body: unknown }): string {
  const { status: paymentStatus, reason, return: returned } = body as Payment
  if (status === 404) return 'FAILED NARR'
  if (status === 500) return 'UNKNOWN'
  if (returned !== undefined) return 'RETURNED'
  return paymentStatus === 'REJECTED' ? `FAILED ${reason?.code}` : String(paymentStatus)
}

describe('sandbox bank scenarios', () => {
  for (const { scenario, expected_status, expected_reason } of scenarios) {
    // It takes the whole bank away, and has a test of its own.
    if (scenario === 'down-for-5s') continue
    it(`behaves as promised: ${scenario}`, async (t) => {
      const { url } = await startBank(t)
      const submit = (expected: string) =>
        tryPost(url, orderTo(scenario), expected === 'silence' ? 1_000 : 10_000)
      const [first = '', inquiry, repeat = '', executions] = BEHAVIOUR[scenario] ?? []
      assert.equal(await submit(first), first)
      assert.equal(describeReply(await ask(`${url}/payments/payment-1`)), inquiry)
      assert.equal(await submit(repeat), repeat)
      assert.equal((await list(url)).count, executions)

      await advance(url, 60)
      const end = await ask(`${url}/payments/payment-1`)
      assert.equal(endOf(end), [expected_status, expected_reason].filter(Boolean).join(' '))
      const { count } = await list(url)
      assert.equal(count, ['EXECUTED', 'RETURNED'].includes(expected_status) ? 1 : 0)
      if (count === 1) assert.deepEqual(await post(url, orderTo(scenario)), end)
      assert.equal((await list(url)).count, count)
    })
  }

  it('has a name, an IBAN with right check digits and one line of description for each', async (t) => {
    const { url } = await startBank(t)
    const listed = (await ask(`${url}/scenarios`)).body as Record<string, string>[]
    assert.equal(listed.length, scenarios.length)
    for (const { scenario = '', counterparty_iban = '', description = '', ...rest } of listed) {
      assert.match(scenario, /^[A-Za-z0-9-]+$/)
      assert.ok(isValidIBAN(counterparty_iban) && counterparty_iban.startsWith('DE'), scenario)
      assert.match(description, /^.{20,100}\.$/)
      assert.ok(Object.keys(rest).every((key) => ['expected_status', 'expected_reason'].includes(key)))
    }
    const ibans = listed.map(({ counterparty_iban }) => counterparty_iban)
    assert.equal(new Set(ibans).size, ibans.length)
    assert.deepEqual(
      listed.map(({ scenario }) => scenario).toSorted(),
      [...Object.keys(BEHAVIOUR), 'down-for-5s'].toSorted()
    )
  })

  for (const [name, field, value] of [
    ['wrong-amount', 'amount', '100.01'],
    ['wrong-reference', 'reference', 'payment-x'],
    ['wrong-currency', 'currency', 'USD']
  ] as const) {
    it(`misstates the ${field} in the first answer and nothing else: ${name}`, async (t) => {
      const { url } = await startBank(t)
      const first = await post(url, orderTo(name))
      const { body } = await ask(`${url}/payments/payment-1`)
      assert.deepEqual(first.body, { ...(body as object), [field]: value })
    })
  }

  it('tells in the head of a 429 when to come back, and in that of a redirect where to go', async (t) => {
    const { url } = await startBank(t)
    const submit = (name: string) => {
      const body = JSON.stringify(orderTo(name, { reference: name }))
      return fetch(`${url}/payments`, { method: 'POST', body, redirect: 'manual' })
    }
    assert.equal((await submit('429')).headers.get('retry-after'), '1')
    assert.equal((await submit('redirect')).headers.get('location'), 'http://127.0.0.1:9/payments')
  })

  it('answers late, and byte by byte, by its own clock', async (t) => {
    const { url } = await startBank(t)
    const late = post(url, orderTo('late-answer', { reference: 'late' }))
    const dripping = post(url, orderTo('slow-drip', { reference: 'drip' }))
    while ((await list(url)).count < 2) await new Promise(setImmediate)
    await advance(url, 300)
    assert.equal(describeReply(await late), '201 EXECUTED')
    assert.deepEqual((await dripping).body, (await ask(`${url}/payments/drip`)).body)
  })

  for (const name of ['timeout-then-executed', 'late-answer', 'slow-drip', 'unknown-for-ever', 'huge-body']) {
    it(`stops at once while an answer hangs: ${name}`, async (t) => {
      const bank = await startBank(t)
      const body = JSON.stringify(orderTo(name))
      const socket = connect(bank.port, '127.0.0.1').pause()
      socket.on('error', () => undefined)
      socket.write(`POST /payments HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
      while ((await ask(`${bank.url}/payments/payment-1`)).status === 404) await new Promise(setImmediate)
      const before = performance.now()
      await bank.stop()
      assert.ok(performance.now() - before < 10_000)
      socket.destroy()
    })
  }

  it('does not execute twice when submissions of a held payment race, before and after its time', async (t) => {
    const { url } = await startBank(t)
    const race = () =>
      Promise.all(Array.from({ length: 20 }, () => tryPost(url, orderTo('not-found-then-executed'), 300)))
    assert.deepEqual(new Set(await race()), new Set(['silence']))
    await Promise.all([advance(url, 5), race(), race()])
    assert.deepEqual(new Set(await race()), new Set(['200 EXECUTED']))
    assert.equal((await list(url)).count, 1)
  })

  it('refuses another payment under the reference of one that is held', async (t) => {
    const { url } = await startBank(t)
    await post(url, orderTo('accepted-then-executed'))
    assert.equal((await post(url, orderTo('accepted-then-executed', { amount: '1.00' }))).status, 409)
  })

  it('returns all of a payment, or all but a cent', async (t) => {
    const { url } = await startBank(t)
    await post(url, orderTo('returned-after-5s', { reference: 'all' }))
    await post(url, orderTo('returned-partly', { reference: 'part' }))
    await post(url, orderTo('returned-partly', { reference: 'cent', amount: '0.01' }))
    const find = async (reference: string) => (await ask(`${url}/payments/${reference}`)).body as Payment
    await advance(url, 4)
    assert.equal((await find('all')).return, undefined)
    await advance(url, 1)
    const { status, return: returned } = await find('all')
    assert.deepEqual([status, returned?.amount, returned?.reason.code], ['EXECUTED', '100.00', 'AC04'])
    assert.equal((await find('part')).return?.amount, '99.99')
    assert.equal((await find('cent')).return?.amount, '0.01')
    assert.equal((await list(url)).total_amount, '200.01')
  })

  it('is unreachable for 5 s, on all connections and routes, and then executes', async (t) => {
    const { url, port } = await startBank(t)
    const idle = connect(port, '127.0.0.1').resume()
    await once(idle, 'connect')
    const idleClosed = once(idle, 'close')
    const before = performance.now()
    assert.equal(await tryPost(url, orderTo('down-for-5s'), 10_000), 'cut off')
    await idleClosed
    await assert.rejects(ask(`${url}/health`), TypeError)
    await assert.rejects(advance(url, 5), TypeError)
    while (
      await ask(`${url}/health`).then(
        () => false,
        () => true
      )
    )
      await new Promise((r) => setTimeout(r, 50))
    assert.ok(performance.now() - before >= 4900)
    assert.equal((await ask(`${url}/payments/payment-1`)).status, 404)
    assert.equal(await tryPost(url, orderTo('down-for-5s'), 10_000), '201 EXECUTED')
    assert.equal((await list(url)).count, 1)
  })

  it('stops while it is down', async (t) => {
    const bank = await startBank(t)
    await tryPost(bank.url, orderTo('down-for-5s'), 10_000)
    const before = performance.now()
    await bank.stop()
    assert.ok(performance.now() - before < 4_500)
  })

  it('keeps the first payees of the demo as they were', () => {
    assert.deepEqual(['reject-AC01', 'reject-AC04', 'reject-AM05'].map(ibanOf), [
      'DE72000000000000001001',
      'DE88000000000000001004',
      'DE27000000000000002005'
    ])
  })
})
