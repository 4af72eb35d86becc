import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import type { BankNotice } from '../../src/banking/bank-notice.ts'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { settleNotices } from '../../src/execution/notices.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { verify } from '../../src/verification/verify.ts'
import { listen } from '../support/api.ts'
import { aBulk, anOrganization } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'
import { logOf } from '../support/scripted-bank.ts'

const secret = 'a secret of the bank and us'
const database = await createTestDatabase()
const context = createTestContext(database, { BANK_CALLBACK_SECRET: secret })
const organizationId = await anOrganization(database.db)
const api = await listen(context, { organizationId })

function sign(body: string, options: { at?: number; secret?: string } = {}): string {
  const at = Math.floor((options.at ?? Date.now()) / 1000)
  const mac = createHmac('sha256', options.secret ?? secret).update(`${at}.${body}`)
  return `t=${at},v1=${mac.digest('hex')}`
}

const call = (body: string, signature?: string) =>
  api.post('/bank/notices', body, signature === undefined ? {} : { 'bank-signature': signature })
const tell = (notices: unknown[]) => {
  const body = JSON.stringify({ notices })
  return call(body, sign(body))
}

async function workOff(): Promise<void> {
  for (let next = await claimWork(context, 'test'); next; next = await claimWork(context, 'test'))
    await executeClaim(context, next)
}

/** A bulk that the bank took, and what it will tell of its transfers. */
async function taken(transfers = 1) {
  const bulk = aBulk({ transfers, amount: '1.00' })
  assert.equal((await api.post('/transfers/bulk', bulk)).status, 201)
  context.bank.script = (order) => {
    context.bank.executed.set(order.reference, order)
    return { outcome: 'taken' }
  }
  await workOff()
  const path = `/transfers/bulk/${bulk.request_id}`
  const { data } = (await api.ask(`${path}/transfers`)).body
  const notices = data.map((transfer: Record<string, string>, nr: number) => ({
    notice_id: `${bulk.request_id}-${nr}`,
    reference: transfer['bank_reference'],
    status: 'EXECUTED',
    amount: transfer['amount'],
    currency: transfer['currency'],
    counterparty_iban: transfer['counterparty_iban']
  }))
  return { path, notices: notices as Omit<BankNotice, 'reason' | 'reason_code'>[] }
}

describe('the callback of the bank', () => {
  it('takes notices of what it has, durably, and a worker does what they say', async () => {
    const { path, notices } = await taken(3)
    const { status, body } = await tell(notices)
    assert.deepEqual([status, body], [200, { kept: 3, unknown_payments: [], different_payments: [] }])
    await settleNotices(context)
    await workOff()
    assert.equal((await api.ask(`${path}/status`)).body.status, 'COMPLETED')
    assert.equal((await tell(notices)).body.kept, 3)
  })

  it('tells which notices it did not keep, and keeps the others', async () => {
    const [good] = (await taken()).notices
    const foreign = { ...good, reference: 'not ours' }
    const different = { ...good, amount: '2.00' }
    const zero = { ...good, counterparty_iban: 'DE\u0000', currency: 'E\u0000R', amount: '\u0000' }
    const odd = { ...good, counterparty_iban: '\ud800', currency: '😀' }
    const { status, body } = await tell([foreign, different, zero, odd, good])
    assert.deepEqual(
      [status, body],
      [
        200,
        {
          kept: 1,
          unknown_payments: ['not ours'],
          different_payments: Array<string>(3).fill(good!.reference)
        }
      ]
    )
  })

  it('stores the words of the bank as they can be shown, whatever they are', async () => {
    const { path, notices } = await taken()
    const reason = { code: 'AC04', message: `a\u0000b\ud800\n${'x'.repeat(9000)}` }
    assert.equal((await tell([{ ...notices[0], status: 'REJECTED', reason }])).body.kept, 1)
    const [kept] = await database.sql<{ reason: string }>('select reason from notice where notice_id = $1', [
      notices[0]!.notice_id
    ])
    assert.match(kept!.reason, /^a b\ufffd x{400,}$/)
    context.bank.executed.delete(notices[0]!.reference)
    await settleNotices(context)
    context.bank.script = () => ({ outcome: 'rejected', code: 'AC04', message: '' })
    await workOff()
    assert.equal((await api.ask(`${path}/status`)).body.status, 'FAILED')
  })
})

describe('a callback is refused with 401', () => {
  const body = JSON.stringify({ notices: [] })
  const minutes = 60_000
  const now = Date.now()
  const signatures: Record<string, string | undefined> = {
    'without a signature': undefined,
    'with an empty one': '',
    'with the secret of another': sign(body, { secret: 'another secret of the bank' }),
    'with the signature of another body': sign(`${body} `),
    'when it is old': sign(body, { at: now - 6 * minutes }),
    'when it is of the future': sign(body, { at: now + 6 * minutes }),
    'with another time than was signed': sign(body, { at: now - 6 * minutes }).replace(
      /t=\d+/,
      `t=${Math.floor(now / 1000)}`
    ),
    'with half a signature': sign(body).slice(0, -32),
    'with capitals': sign(body).toUpperCase(),
    'with two': `${sign(body)},${sign(body)}`,
    'with a time that is none': sign(body).replace(/t=\d+/, 't=NaN')
  }
  for (const [when, signature] of Object.entries(signatures))
    it(when, async () => {
      const answer = await call(body, signature)
      assert.deepEqual([answer.status, answer.body.error.reason], [401, 'unauthorized'])
      assert.equal(answer.headers.get('content-type'), 'application/problem+json')
    })

  it('without a body, whatever it claims to be', async () => {
    const headers = { 'bank-signature': sign('') }
    const typed = { ...headers, 'content-type': 'application/json' }
    for (const given of [{}, headers, typed]) {
      const { status, body } = await api.ask('/bank/notices', { method: 'POST', headers: given })
      assert.ok([401, 422].includes(status), JSON.stringify(body))
    }
  })

  it('when no secret is set', async () => {
    const open = await listen(createTestContext(database), { organizationId })
    const answer = await open.post('/bank/notices', body, { 'bank-signature': sign(body) })
    assert.equal(answer.status, 401)
  })
})

describe('a callback that is signed is refused', () => {
  const good = {
    notice_id: 'N',
    reference: 'R',
    status: 'EXECUTED',
    amount: '1',
    currency: 'EUR',
    counterparty_iban: 'X'
  }
  const bodies: Record<string, string> = {
    'when it is not JSON': '{"notices": [',
    'when it is another thing': '"notices"',
    'when it has no notices': '{"notices": []}',
    'when a field is missing': JSON.stringify({ notices: [{ ...good, amount: undefined }] }),
    'when an amount is a number': JSON.stringify({ notices: [{ ...good, amount: 1 }] }),
    'when a status is none': JSON.stringify({ notices: [{ ...good, status: 'PENDING' }] }),
    'when a notice_id is none': JSON.stringify({ notices: [{ ...good, notice_id: 'a b' }] }),
    'when there are too many': JSON.stringify({ notices: Array(1001).fill(good) })
  }
  for (const [when, body] of Object.entries(bodies))
    it(when, async () => {
      const answer = await call(body, sign(body))
      assert.deepEqual([answer.status, answer.body.error.reason], [422, 'invalid-request'])
    })

  it('when it is not sent as JSON, or too large', async () => {
    const body = JSON.stringify({ notices: [good] })
    const text = { 'content-type': 'text/plain', 'bank-signature': sign(body) }
    assert.equal((await api.post('/bank/notices', body, text)).status, 415)
    const large = `${body}${' '.repeat(3 * 1024 * 1024)}`
    assert.equal((await call(large, sign(large))).status, 413)
  })
})

it('none of this breaks an invariant', async () => {
  const { violations } = await verify(database.db, {
    async *payments() {
      await Promise.resolve()
      yield* logOf(context.bank)
    }
  })
  assert.deepEqual(violations, [])
})
