import path from 'node:path'
import pg from 'pg'
import { startEmbeddedPostgres } from '../../src/embedded/start-postgres.ts'
import { findPostmaster, killAll, processTree, until } from '../e2e/processes.ts'
import { launch, makePlace, type Place } from '../e2e/program.ts'
import { startLine, type Line } from '../support/line.ts'
import { startWitness, type Witness } from '../support/witness.ts'
import { Service } from './service.ts'

/** A test, or the hooks of a file. */
type Scope = Parameters<typeof makePlace>[0]

/**
 * Two APIs and two workers as processes, a PostgreSQL and a bank of their own, a receiver of webhooks, and a line
 * between each two of them.
 */
export interface World {
  place: Place
  postgres: Postgres
  bank: Service
  apis: Service[]
  workers: Service[]
  /** Is told of everything that happens. */
  witness: Witness
  lines: Map<string, Line>
  /** Asks the database itself, on no line that can break. */
  sql: <Row extends pg.QueryResultRow>(text: string, values?: unknown[]) => Promise<Row[]>
}

interface Postgres {
  url: string
  postmaster: () => number | undefined
  backends: () => number[]
  /** Starts it again if it has ended. */
  revive: () => Promise<void>
  stop: () => Promise<void>
}

const main = [process.execPath, path.join(import.meta.dirname, '../../src/main.ts')]

const callbackSecret = 'what only the bank knows'

/**
 * Everything has the settings that it has by default, but for those that tell where the others are, and what would come
 * too seldom to be hit.
 */
export async function startWorld(scope: Scope): Promise<World> {
  const stops: (() => unknown)[] = []
  scope.after(async () => {
    for (const stop of stops.toReversed()) await stop()
  })
  const place = await makePlace(scope, {
    PORT: '0',
    SANDBOX_BANK_PORT: '0',
    SANDBOX_BANK_LATENCY_MS: '10',
    BANK_CALLBACK_SECRET: callbackSecret,
    BANK_TIMEOUT_MS: '3000',
    BANK_SETTLEMENT_WINDOW_MS: '10000',
    RECONCILE_EVERY_MS: '3000',
    SWEEP_EVERY_MS: '3000',
    AUDIT_EVERY_MS: '10000',
    WEBHOOK_TIMEOUT_MS: '2000'
  })
  const postgres = await startPostgres(place)
  stops.push(postgres.stop, () => killAll(processTree(place.started)))
  const callbackLine = await startLine()
  const witness = await startWitness()
  const lines = new Map([
    ['bank to api 1', callbackLine],
    ['workers to receiver', await startLine(witness.port)]
  ])
  const bank = startBank(place, lines, callbackLine)
  const world: World = {
    place,
    postgres,
    bank,
    apis: [],
    workers: [],
    witness,
    lines,
    sql: (text, values = []) => askDatabase(postgres.url, text, values)
  }
  stops.push(() => servicesOf(world).forEach((service) => service.close()))
  stops.push(() => Promise.all([...lines.values()].map((line) => line.close())))
  await until('the bank is up', () => bank.isUp)
  for (const nr of [1, 2]) world.apis.push(await startProgram(world, `api ${nr}`, 'api'))
  for (const nr of [1, 2]) world.workers.push(await startProgram(world, `worker ${nr}`, 'worker'))
  await untilUp(world)
  await openEndpoint(world)
  return world
}

/** From now on the witness is told of everything, on a line that can break. */
async function openEndpoint({ apis: [api], witness, lines }: World): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${api?.port}/webhooks/endpoints`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ url: `http://127.0.0.1:${lines.get('workers to receiver')?.port}/` })
  })
  witness.secret = ((await response.json()) as { secret: string }).secret
}

export function servicesOf({ bank, apis, workers }: World): Service[] {
  return [bank, ...apis, ...workers]
}

export async function untilUp(world: World): Promise<void> {
  await until('everything is up', () => servicesOf(world).every(({ isUp }) => isUp))
  // It may still be reading its log after the last of its deaths.
  const asked = () => world.sql('select 1')
  await until('PostgreSQL answers', () => asked().then(Boolean, () => false))
}

/** Where a client finds the APIs, on lines that can break. */
export function frontsOf({ apis, lines }: World): string[] {
  return apis.map(({ name }) => `http://127.0.0.1:${lines.get(`clients to ${name}`)?.port ?? 0}`)
}

function startBank(place: Place, lines: Map<string, Line>, { port }: Line): Service {
  const settings = { SANDBOX_BANK_CALLBACK_URL: `http://127.0.0.1:${port}/bank/notices` }
  return new Service({
    name: 'bank',
    launch: () => launch(place, { command: [...main, 'sandbox-bank'], settings }),
    ready: /Sandbox bank at \S+:(\d+)/,
    // Each time on another port.
    onReady(port) {
      for (const [name, line] of lines) if (name.endsWith(' to bank')) line.lead(port)
    }
  })
}

async function startProgram(world: World, name: string, role: 'api' | 'worker'): Promise<Service> {
  const { place, postgres, lines, bank } = world
  const databaseLine = await startLine(Number(new URL(postgres.url).port))
  const bankLine = await startLine(bank.port)
  lines.set(`${name} to PostgreSQL`, databaseLine).set(`${name} to bank`, bankLine)
  const front = role === 'api' ? await startLine() : undefined
  if (front) lines.set(`clients to ${name}`, front)
  const settings = {
    ROLE: role,
    DATABASE_URL: withPort(postgres.url, databaseLine.port),
    BANK_URL: `http://127.0.0.1:${bankLine.port}`
  }
  return new Service({
    name,
    launch: () => launch(place, { command: main, settings }),
    ready: /Bulkhead (?:is ready at \S+:(\d+)|works on transfers)/,
    onReady(port) {
      front?.lead(port)
      lines.get(`bank to ${name}`)?.lead(port)
    }
  })
}

async function startPostgres(place: Place): Promise<Postgres> {
  const server = await startEmbeddedPostgres({ directory: path.join(place.dataDir, 'postgresql') })
  const postmaster = () => findPostmaster(place.dataDir)
  return {
    url: server.url,
    postmaster,
    backends() {
      const pid = postmaster()
      return pid === undefined ? [] : processTree([pid]).filter((other) => other !== pid)
    },
    async revive() {
      await server.revive()
    },
    stop: () => server.stop()
  }
}

function withPort(url: string, port: number): string {
  const target = new URL(url)
  target.port = `${port}`
  return target.href
}

async function askDatabase<Row extends pg.QueryResultRow>(
  url: string,
  text: string,
  values: unknown[]
): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 20_000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    const { rows } = await client.query<Row>(text, values)
    return rows
  } finally {
    await client.end().catch(() => undefined)
  }
}
