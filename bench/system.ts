import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { Pool } from 'undici'
import { createPostgresBroker } from '../src/broker/postgres-broker.ts'
import { ownOrigin, systemClock, type Context } from '../src/context.ts'
import { openDatabase } from '../src/database/database.ts'
import { migrate } from '../src/database/migrate.ts'
import { Sealer } from '../src/events/sealer.ts'
import { Worker } from '../src/execution/worker.ts'
import { buildServer } from '../src/http/server.ts'
import { noOutgoing } from '../src/outgoing/outgoing.ts'
import { readSettings, type Settings } from '../src/settings.ts'
import { createLog } from '../src/telemetry/log.ts'
import { createMeasurements } from '../src/telemetry/measurements.ts'
import { aBulk, anOrganization, aTransfer } from '../test/support/builders.ts'

/** Transfers of one bulk of the benchmark. */
export const size = 1000

export type System = Awaited<ReturnType<typeof startSystem>>

/** The API and a worker in this process, on a new database of the given server, with a rich organization. */
export async function startSystem(serverUrl: string, bank: Context['bank'], change: Partial<Settings> = {}) {
  const url = await createDatabase(serverUrl)
  await migrate(url)
  const log = createLog('silent')
  const settings = { ...benchSettings(), ...change }
  const db = openDatabase({
    url,
    maxConnections: settings.DATABASE_CONNECTIONS,
    role: 'bulkhead_worker',
    applicationName: 'bulkhead-bench'
  })
  const owner = openDatabase({ url, maxConnections: 1, applicationName: 'bulkhead-bench-owner' })
  const raw = new pg.Pool({ connectionString: url, max: 1 })
  const context: Context = {
    settings,
    db,
    bank,
    broker: createPostgresBroker(db, url, log),
    outgoing: noOutgoing,
    log,
    measurements: createMeasurements(),
    clock: systemClock,
    random: {
      fraction: () => Math.random(),
      bytes: (count) => crypto.getRandomValues(new Uint8Array(count))
    },
    payeeCheck: null,
    origin: ownOrigin
  }
  const organizationId = await anOrganization(owner, { funds_minor: 1_000_000_000_000_000n })
  const server = await buildServer(context, {
    demoOrganizationId: organizationId,
    tokens: null,
    manual: false
  })
  const address = await server.listen({ host: '127.0.0.1', port: 0 })
  const client = new Pool(address, { connections: 4 })
  const sql = async <R extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
    (await raw.query<R>(text, values)).rows

  async function post(text: string): Promise<void> {
    const headers = { 'content-type': 'application/json' }
    const answer = await client.request({ method: 'POST', path: '/transfers/bulk', headers, body: text })
    await answer.body.text()
    if (answer.statusCode !== 201) throw new Error(`not accepted: ${answer.statusCode}`)
  }

  /** Submits the bodies with a worker running; returns the milliseconds until all is final. */
  async function work(bodies: string[]): Promise<number> {
    const worker = new Worker(context, 'bench')
    await worker.start()
    const sealer = new Sealer(context)
    sealer.start()
    const elapsed = await timed(async () => {
      for (const text of bodies) await post(text)
      await allFinal()
    })
    await worker.stop()
    await sealer.stop()
    return elapsed
  }

  async function allFinal(): Promise<void> {
    for (;;) {
      const [open] = await sql<{ open: boolean }>(
        'select exists (select from chunk where due_at is not null) as open'
      )
      if (open?.open === false) return
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  async function stop(): Promise<void> {
    await client.close()
    await server.close()
    await context.broker.close()
    await raw.end()
    await owner.close()
    await db.close()
  }

  return { context, owner, organizationId, sql, post, work, stop, url, address }
}

async function createDatabase(serverUrl: string): Promise<string> {
  const url = new URL(serverUrl)
  url.pathname = `bench_${randomUUID().replaceAll('-', '')}`
  const admin = new pg.Client({ connectionString: serverUrl })
  await admin.connect()
  await admin.query(`create database ${url.pathname.slice(1)}`)
  await admin.end()
  return url.href
}

/** The settings that a process has by default, silent. */
export function benchSettings(): Settings {
  const read = readSettings({ LOG_LEVEL: 'silent' })
  if (read.outcome === 'invalid') throw new Error(read.errors.join('; '))
  return read.settings
}

let payrolls = 0

/** The JSON text of a new bulk of 1000 transfers, each with its own amount, name and id: the payroll of another month. */
export function bulkText(): string {
  payrolls += 1
  const credit_transfers = Array.from({ length: size }, (_, index) =>
    aTransfer({
      amount: `${100 + index}.${(index % 90) + 10}`,
      counterparty_name: `Employee Number ${index}`,
      description: `Salary payment for month ${payrolls}`,
      client_transfer_id: `EMP-${index}`
    })
  )
  return JSON.stringify({ ...aBulk(), credit_transfers })
}

/** Milliseconds that the work takes. */
export async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}
