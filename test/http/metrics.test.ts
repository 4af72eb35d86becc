import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openDatabase } from '../../src/database/database.ts'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { BankGate } from '../../src/execution/bank-gate.ts'
import { executeClaim, Worker } from '../../src/execution/worker.ts'
import { buildMonitoringServer } from '../../src/http/monitoring-server.ts'
import { measureBank } from '../../src/banking/measured-bank.ts'
import { createMeasurements, measureProcess } from '../../src/telemetry/measurements.ts'
import { aBulk, anOrder, anOrganization } from '../support/builders.ts'
import { listen } from '../support/api.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const context = createTestContext(database, { CHUNK_SIZE: 2 })
const api = await listen(context)

/** The value of each series, by its name with its labels. */
async function scrape(from = api): Promise<Map<string, number>> {
  const { status, headers, body } = await from.ask('/metrics')
  assert.equal(status, 200)
  assert.match(headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
  const lines = [...String(body).matchAll(/^(\w+(?:\{[^}]*\})?) (\S+)$/gm)]
  return new Map(lines.map(([, series = '', value]) => [series, Number(value)]))
}

describe('the metrics', () => {
  it('tell what is open, how old it is, and every kind of incident', async () => {
    await api.post('/transfers/bulk', aBulk({ transfers: 5, amount: '1.00' }))
    context.bank.script = () => ({ outcome: 'unknown', cause: 'timeout' })
    const claim = await claimWork(context, 'test')
    assert.ok(claim)
    await executeClaim(context, claim)
    const series = await scrape()
    assert.equal(series.get('bulkhead_open_transfers{status="UNKNOWN"}'), 4)
    assert.equal(series.get('bulkhead_open_transfers{status="PENDING"}'), 1)
    assert.equal(series.get('bulkhead_open_transfers{status="SENT"}'), 0)
    assert.ok((series.get('bulkhead_open_transfers_oldest_seconds{status="UNKNOWN"}') ?? -1) > 0)
    assert.ok((series.get('bulkhead_work_overdue_seconds') ?? -1) >= 0)
    assert.equal(series.get('bulkhead_open_incidents{kind="missing-at-bank"}'), 0)
    assert.equal(series.get('bulkhead_open_bulks'), 1)
    assert.equal(series.get('bulkhead_open_amount{currency="EUR"}'), 5)
    assert.equal(series.get('bulkhead_accounts_reserved{currency="EUR"}'), 5)
    assert.equal(series.get('bulkhead_reserve_mismatched_accounts'), 0)
    assert.equal(series.get('bulkhead_database_up'), 1)
  })

  it('count what ends, why it failed, and how long the bulk took', async () => {
    context.bank.script = ({ amount_minor }) =>
      amount_minor === 2n
        ? { outcome: 'rejected', code: 'AC04', message: 'closed' }
        : amount_minor === 3n
          ? { outcome: 'rejected', code: 'ZZ99', message: 'a code of their own' }
          : { outcome: 'executed' }
    const bulk = aBulk({ transfers: 3 })
    bulk.credit_transfers.forEach((transfer, index) => (transfer.amount = `0.0${index + 1}`))
    const before = await scrape()
    await api.post('/transfers/bulk', bulk)
    await database.sql(`update chunk set due_at = now() where due_at is not null`)
    for (let claim = await claimWork(context, 'test'); claim; claim = await claimWork(context, 'test'))
      await executeClaim(context, claim)
    const after = await scrape()
    const grew = (series: string) => (after.get(series) ?? 0) - (before.get(series) ?? 0)
    // The bulk of the test before is executed as well: it had been unknown.
    assert.equal(grew('bulkhead_transfers_ended_total{status="EXECUTED"}'), 6)
    assert.equal(grew('bulkhead_transfers_ended_total{status="FAILED"}'), 2)
    assert.equal(grew('bulkhead_transfers_failed_total{reason_code="AC04"}'), 1)
    assert.equal(grew('bulkhead_transfers_failed_total{reason_code="other"}'), 1)
    assert.equal(grew('bulkhead_bulk_duration_seconds_count{status="PARTIALLY_COMPLETED"}'), 1)
    assert.equal(grew('bulkhead_bulk_duration_seconds_count{status="COMPLETED"}'), 1)
    const organization = String(api.organizationId)
    assert.equal(
      after.get(`bulkhead_organization_ended_transfers{organization="${organization}",status="FAILED"}`),
      2
    )
    assert.equal(
      after.get(`bulkhead_organization_accepted_amount{organization="${organization}",currency="EUR"}`),
      5.06
    )
  })

  it('count what a cancellation ends', async () => {
    const bulk = aBulk({ transfers: 4 })
    await api.post('/transfers/bulk', bulk)
    const before = await scrape()
    await api.post(`/transfers/bulk/${bulk.request_id}/cancel`, {})
    const after = await scrape()
    const name = 'bulkhead_transfers_ended_total{status="CANCELLED"}'
    assert.equal((after.get(name) ?? 0) - (before.get(name) ?? 0), 4)
    assert.equal(after.get('bulkhead_bulk_duration_seconds_count{status="CANCELLED"}'), 1)
  })

  it('count submissions by what became of them, and requests by their route', async () => {
    const before = await scrape()
    const bulk = aBulk({ amount: '1.00' })
    await api.post('/transfers/bulk', bulk)
    await api.post('/transfers/bulk', bulk)
    await api.post('/transfers/bulk', aBulk({ amount: '999999.00' }))
    await api.post('/transfers/bulk?dry_run=true', aBulk({ amount: '1.00' }))
    await api.ask('/no/such/address')
    const after = await scrape()
    const grew = (series: string) => (after.get(series) ?? 0) - (before.get(series) ?? 0)
    assert.equal(grew('bulkhead_bulk_requests_total{result="accepted"}'), 1)
    assert.equal(grew('bulkhead_bulk_requests_total{result="replayed"}'), 1)
    assert.equal(grew('bulkhead_bulk_requests_total{result="insufficient-account-balance"}'), 1)
    const requests = (labels: string) => grew(`bulkhead_http_request_duration_seconds_count{${labels}}`)
    assert.equal(requests('method="POST",route="/transfers/bulk",status="201"'), 2)
    assert.equal(requests('method="POST",route="/transfers/bulk",status="422"'), 1)
    assert.equal(requests('method="any",route="unknown",status="404"'), 1)
  })

  it('have a series for the 20 organizations with most, and one for all others', async () => {
    for (let nr = 1; nr <= 22; nr++) {
      const organizationId = await anOrganization(database.db)
      const other = await listen(context, { organizationId })
      await other.post('/transfers/bulk', aBulk({ transfers: 1, amount: `${1000 + nr}.00` }))
    }
    const series = await scrape()
    const named = (name: string) => [...series.keys()].filter((key) => key.startsWith(`${name}{`))
    assert.equal(named('bulkhead_organization_accepted_amount').length, 21)
    assert.equal(
      series.get('bulkhead_organization_accepted_amount{organization="other",currency="EUR"}'),
      // The two smallest, and the demo organization's own.
      1001 + 1002 + 406.06
    )
    assert.equal(named('bulkhead_organization_open_transfers').length, 21)
  })

  it('tell of an account whose reserve is wrong', async () => {
    const organization = await anOrganization(database.db)
    await database.sql(
      'update account set reserved_minor = 7 where organization_id = $1 and iban is not null',
      [organization]
    )
    assert.equal((await scrape()).get('bulkhead_reserve_mismatched_accounts'), 1)
  })

  it('tell of the calls to the bank and their causes, of which a bank can not invent any number', async () => {
    const measurements = createMeasurements()
    const bank = measureBank(context.bank, measurements, context.log)
    let nr = 0
    context.bank.script = () => ({ outcome: 'unknown', cause: `cause-${nr++}` })
    for (let calls = 0; calls < 50; calls++) await bank.submit(anOrder)
    context.bank.script = () => ({ outcome: 'executed' })
    await bank.submit(anOrder)
    const text = await measurements.registry.metrics()
    assert.match(text, /^bulkhead_bank_errors_total\{operation="submit",cause="cause-39"\} 1$/m)
    assert.match(text, /^bulkhead_bank_errors_total\{operation="submit",cause="other"\} 10$/m)
    assert.match(
      text,
      /^bulkhead_bank_call_duration_seconds_count\{operation="submit",outcome="executed"\} 1$/m
    )
  })

  it('tell that the bank is left alone', async () => {
    const measurements = createMeasurements()
    const gated = { ...context, measurements }
    const gate = new BankGate(gated)
    measurements.watched.bankGate = () => gate.look()
    context.bank.script = () => ({ outcome: 'not-accepted', cause: 'http-429', retry_after_ms: 60_000 })
    await gate.submit(anOrder)
    const text = await measurements.registry.metrics()
    assert.match(text, /^bulkhead_bank_breaker_open 1$/m)
    assert.match(text, /^bulkhead_bank_breaker_openings_total 1$/m)
    assert.match(text, /^bulkhead_bank_calls\{state="allowed"\} 32$/m)
  })

  it('show the gate of the worker of this process', async () => {
    const measurements = createMeasurements()
    const worker = new Worker({ ...context, measurements }, 'test')
    assert.deepEqual(measurements.watched.bankGate?.().closed, false)
    await worker.stop()
  })
})

describe('the listener for monitoring alone', () => {
  it('has health and metrics, also of the process, and nothing else', async (t) => {
    measureProcess(context.measurements, { version: '1.2.3', role: 'worker' })
    const server = buildMonitoringServer(context)
    const url = await server.listen({ host: '127.0.0.1', port: 0 })
    t.after(() => server.close())
    const ask = async (path: string) => fetch(url + path)
    const text = await (await ask('/metrics')).text()
    assert.match(text, /^bulkhead_info\{version="1.2.3",role="worker"\} 1$/m)
    assert.match(text, /^nodejs_eventloop_lag_p99_seconds /m)
    assert.equal((await ask('/health/live')).status, 200)
    assert.equal((await ask('/health/ready')).status, 200)
    const missing = await ask('/transfers/bulk')
    assert.equal(missing.status, 404)
    assert.equal(missing.headers.get('content-type'), 'application/problem+json')
  })
})

describe('without the database', () => {
  it('the metrics of the process are there, and say so', async (t) => {
    const db = openDatabase({
      url: 'postgres://nobody@127.0.0.1:1/none',
      maxConnections: 1,
      applicationName: 'test'
    })
    t.after(() => db.close())
    const away = { ...createTestContext(database), db }
    const server = buildMonitoringServer(away)
    t.after(() => server.close())
    const { statusCode, body } = await server.inject('/metrics')
    assert.equal(statusCode, 200)
    assert.match(body, /^bulkhead_database_up 0$/m)
    assert.match(body, /^bulkhead_transfers_ended_total\{status="EXECUTED"\} 0$/m)
    assert.doesNotMatch(body, /bulkhead_open_transfers/)
    const ready = await server.inject('/health/ready')
    assert.equal(ready.statusCode, 503)
    assert.deepEqual(ready.json<{ checks: unknown[] }>().checks[0], {
      name: 'database',
      ok: false,
      details: 'does not answer'
    })
  })
})

describe('ready', () => {
  it('names the migrations that are missing', async () => {
    const [last] = await database.sql<{ name: string }>(
      'delete from migration where name = (select max(name) from migration) returning name'
    )
    const { status, body } = await api.ask('/health/ready')
    await database.sql('insert into migration (name, run_on) values ($1, now())', [last?.name])
    assert.equal(status, 503)
    assert.deepEqual(body.checks[1], {
      name: 'migrations',
      ok: false,
      details: `missing: ${last?.name}; run the command migrate`
    })
    assert.equal((await api.ask('/health/ready')).status, 200)
  })
})
