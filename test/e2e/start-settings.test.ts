import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { describe, it } from 'node:test'
import { demoOrganization } from '../../src/organizations/demo-organization.ts'
import { aBulk, aTransfer } from '../support/builders.ts'
import { createTestDatabase } from '../support/database.ts'
import { startLine } from '../support/line.ts'
import { until } from './processes.ts'
import { findFreePorts } from '../support/ports.ts'
import { call, makePlace, run, start, untilFinal, type Program } from './program.ts'

/** Answered 202, executed 3 s later, and then told by a callback. */
const toldLater = 'DE64000000000000009002'
const organization_iban = demoOrganization.accounts[0].iban

/** A bulk of one transfer whose result the bank tells by itself. */
const toldLaterBulk = () =>
  aBulk({ organization_iban, credit_transfers: [aTransfer({ counterparty_iban: toldLater })] })

const urlOf = (program: Program): string =>
  /Bulkhead is ready at (\S+)/.exec(program.stderr())?.[1] ?? 'not told'

describe('a start', { skip: process.platform === 'win32' }, () => {
  it('on any free port tells the sandbox bank where it is, so that its callbacks come', async (t) => {
    const database = await createTestDatabase()
    const place = await makePlace(t, { DATABASE_URL: database.url, PORT: '0', SANDBOX_BANK_PORT: '0' })
    place.url = urlOf(await start(place))
    assert.match(place.url, /:[1-9]\d+$/)
    const bulk = toldLaterBulk()
    assert.equal((await call(place, '/transfers/bulk', bulk)).status, 201)
    await untilFinal(place, [bulk.request_id])
    await until('the callback has come', async () => {
      const [row] = await database.sql<{ count: bigint }>(
        `select count(*) from notice where source = 'callback'`
      )
      return Number(row?.count) === 1
    })
  })

  it('keeps a callback address of one’s own', async (t) => {
    const database = await createTestDatabase()
    const heard = Promise.withResolvers<string>()
    const receiver = createServer((request, response) => {
      heard.resolve(`${request.method} ${request.url}`)
      response.end()
    }).listen(0, '127.0.0.1')
    t.after(() => receiver.close())
    await until('it listens', () => receiver.listening)
    const { port } = receiver.address() as { port: number }
    const place = await makePlace(t, {
      DATABASE_URL: database.url,
      BANK_CALLBACK_SECRET: 'a-secret-of-ones-own',
      SANDBOX_BANK_CALLBACK_URL: `http://127.0.0.1:${port}/hear`
    })
    await start(place)
    await call(place, '/transfers/bulk', toldLaterBulk())
    assert.equal(await heard.promise, 'POST /hear')
  })

  it('with MIGRATE_AT_START=false refuses a schema that is not up to date, until migrate has run', async (t) => {
    const database = await createTestDatabase({ migrated: false })
    const place = await makePlace(t, { DATABASE_URL: database.url, MIGRATE_AT_START: 'false' })
    const refused = await run(place, ['start'])
    assert.equal(refused.code, 2)
    assert.match(
      refused.stderr,
      /^The database lacks 0001_organization, .*run the command migrate first \(node src\/main\.ts migrate\)\.\n$/
    )
    assert.equal((await run(place, ['migrate'])).code, 0)
    const program = await start(place)
    assert.doesNotMatch(program.stderr(), /Migrated/)
  })

  it('of a worker with METRICS_PORT shows its health and its measurements', async (t) => {
    const database = await createTestDatabase()
    const [port = 0, bankPort = 0] = await findFreePorts(2)
    const place = await makePlace(t, {
      DATABASE_URL: database.url,
      ROLE: 'worker',
      BANK_URL: `http://127.0.0.1:${bankPort}`,
      METRICS_PORT: String(port)
    })
    await start(place)
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    assert.match(text, /^bulkhead_info\{version="[^"]+",role="worker"\} 1$/m)
    assert.match(text, /^bulkhead_bank_calls\{state="allowed"\} 64$/m)
    const ready = await call(place, `http://127.0.0.1:${port}/health/ready`)
    assert.equal(ready.status, 200)
    assert.deepEqual(
      (ready.body as { checks: { name: string; ok: boolean }[] }).checks.map(({ name, ok }) => [name, ok]),
      [
        ['database', true],
        ['migrations', true],
        ['bank', false]
      ]
    )
  })
})

describe('an outage of the database', { skip: process.platform === 'win32' }, () => {
  it('is told by a handful of lines, not by every lane, connection and request', async (t) => {
    const database = await createTestDatabase()
    const url = new URL(database.url)
    const line = await startLine(Number(url.port))
    t.after(() => line.close())
    url.port = String(line.port)
    const place = await makePlace(t, { DATABASE_URL: url.href })
    const program = await start(place)
    const lines = () =>
      program
        .stdout()
        .split('\n')
        .filter((text) => text.startsWith('{'))
        .map((text) => JSON.parse(text) as { level: string; msg: string })
    const bad = () => lines().filter(({ level }) => ['warn', 'error', 'fatal'].includes(level))
    await line.harm({ kind: 'refuse' })
    for (let requests = 0; requests < 10; requests++)
      assert.equal((await call(place, '/accounts')).status, 503)
    await until('lanes and housekeeping have failed as well', async () => {
      const text = await (await fetch(`${place.url}/metrics`)).text()
      return /^bulkhead_work_failures_total\{part="worker"\} ([1-9]\d+)$/m.test(text) && /_up 0$/m.test(text)
    })
    await line.mend()
    await until('it is over', () => lines().some(({ msg }) => msg === 'the database is available again'))
    assert.deepEqual(
      bad()
        .map(({ msg }) => msg)
        .toSorted(),
      [
        'the connection that listens for work is lost; connecting again',
        'the database is not available; trying again and again'
      ]
    )
  })
})
