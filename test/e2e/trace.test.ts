import assert from 'node:assert/strict'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { demoOrganization } from '../../src/organizations/demo-organization.ts'
import { aBulk } from '../support/builders.ts'
import { createTestDatabase } from '../support/database.ts'
import { startReceiver } from '../support/receiver.ts'
import type { RecordedSpan } from '../support/record-spans.ts'
import { until } from './processes.ts'
import { call, makePlace, start, untilFinal, type Program } from './program.ts'

const root = path.join(import.meta.dirname, '../..')
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const callersSpan = '00f067aa0ba902b7'
const size = 20

describe('one trace', () => {
  it('is in the lines of every process, at the bank and at the webhook', async (t) => {
    const { api, worker, bank, receiver, bulk } = await payTraced(t)

    const said = (program: Program) => {
      const lines = linesOf<{ trace_id?: string; msg: string }>(program, '"msg"')
      return new Set(lines.filter(({ trace_id }) => trace_id === traceId).map(({ msg }) => msg))
    }
    assert.deepEqual([...said(api)].toSorted(), ['accepted', 'request'])
    assert.deepEqual([...said(worker)].toSorted(), ['bank call', 'recorded', 'webhook attempt'])
    const payments = bank.received.filter(({ url }) => url === '/payments')
    assert.equal(payments.length, size)
    for (const { headers } of [...payments, ...receiver.received])
      assert.match(String(headers['traceparent']), new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`))
    const bulkEvents = receiver.received.map(({ body }) => (JSON.parse(body) as { type: string }).type)
    assert.ok(bulkEvents.includes('bulk.completed'), bulkEvents.join())
    const written = api.stdout() + worker.stdout()
    for (const { counterparty_iban, counterparty_name } of bulk.credit_transfers)
      assert.ok(!written.includes(counterparty_iban) && !written.includes(counterparty_name))
    assert.doesNotMatch(written, /"span":/, 'no tracer, no span')
  })

  it('has spans from the request to the webhook when something is registered to take them', async (t) => {
    const { api, worker, bank, receiver, bulk } = await payTraced(t, ['--import', recorder])

    const spans = [api, worker].flatMap((program) => linesOf<RecordedSpan>(program, '"span"'))
    const ours = spans.filter(({ trace_id }) => trace_id === traceId)
    const named = (name: string) => ours.filter(({ span }) => span === name)
    const [request] = named('POST /transfers/bulk')
    assert.ok(request)
    assert.deepEqual([request.kind, request.parent_id], ['SERVER', callersSpan])
    assert.equal(request.attributes['http.response.status_code'], 201)
    assert.deepEqual(
      named('accept bulk').map(({ parent_id }) => parent_id),
      [request.span_id]
    )
    const claims = new Set(named('process claim').map(({ span_id }) => span_id))
    const calls = named('POST /payments')
    assert.equal(calls.length, size)
    for (const { parent_id } of [...calls, ...named('record results')])
      assert.ok(claims.has(parent_id ?? ''), 'it is part of a claim')
    assert.equal(named('record results').length, claims.size)

    // What the bank and the receiver were told is the very span of the call to them.
    const sent = (requests: { headers: Record<string, unknown> }[]) =>
      requests.map(({ headers }) => String(headers['traceparent']).split('-')[2]).toSorted()
    const ids = (of: RecordedSpan[]) => of.map(({ span_id }) => span_id).toSorted()
    assert.deepEqual(sent(bank.received.filter(({ url }) => url === '/payments')), ids(calls))
    const webhooks = named('POST').filter(({ attributes }) => 'bulkhead.webhook_id' in attributes)
    assert.deepEqual(sent(receiver.received), ids(webhooks))
    const attributes = JSON.stringify(spans)
    for (const { counterparty_iban, counterparty_name } of bulk.credit_transfers)
      assert.ok(!attributes.includes(counterparty_iban) && !attributes.includes(counterparty_name))
  })
})

const recorder = path.join(root, 'test/support/record-spans.ts')

/** A bulk that is paid by an API and a worker apart, sent with a traceparent and told of by webhooks. */
async function payTraced(t: TestContext, nodeOptions: string[] = []) {
  const [bank, receiver] = [await startReceiver(), await startReceiver()]
  bank.answer = ({ url, body }, response) => {
    if (url !== '/payments') return void response.writeHead(url === '/health' ? 200 : 404).end()
    const payment = JSON.parse(body) as object
    response.writeHead(201, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ ...payment, status: 'EXECUTED' }))
  }
  const database = await createTestDatabase()
  const place = await makePlace(t, {
    BANK_URL: bank.url,
    DATABASE_URL: database.url,
    LOG_LEVEL: 'debug',
    WEBHOOK_ALLOW_PRIVATE: '127.0.0.1/32'
  })
  const command = [process.execPath, ...nodeOptions, path.join(root, 'src/main.ts'), 'start']
  const [api, worker] = await Promise.all([
    start(place, { command, settings: { ROLE: 'api' } }),
    start(place, { command, settings: { ROLE: 'worker' } })
  ])
  assert.equal((await call(place, '/webhooks/endpoints', { url: receiver.url })).status, 201)
  const bulk = aBulk({ transfers: size, organization_iban: demoOrganization.accounts[1].iban })
  const answer = await fetch(`${place.url}/transfers/bulk`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-${callersSpan}-01` },
    body: JSON.stringify(bulk)
  })
  assert.equal(answer.status, 201)
  assert.equal(answer.headers.get('traceparent')?.split('-')[1], traceId)
  await untilFinal(place, [bulk.request_id])
  await until('the webhooks are sent and logged', () => /bulk\.completed.*delivered/.test(worker.stdout()))
  return { api, worker, bank, receiver, bulk }
}

/** The JSON lines of a program that have a key. */
function linesOf<T>(program: Program, key: string): T[] {
  const lines = program.stdout().split('\n')
  return lines
    .filter((line) => line.startsWith('{') && line.includes(`${key}:`))
    .map((l) => JSON.parse(l) as T)
}
