import { fork, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { setPriority, tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { openDatabase } from '../src/database/database.ts'
import { startEmbeddedPostgres } from '../src/embedded/start-postgres.ts'
import { aBulk, anOrganization, aTransfer } from '../test/support/builders.ts'
import { aKey, bearer } from '../test/support/keys.ts'
import { createInstantBank } from './instant-bank.ts'
import { startSystem, type System } from './system.ts'

/*
 * What a tenant notices of another that floods: a polite client's latency alone, beside the flood, and (the floor) beside
 * the same flood of another server on this machine, which shares its cores and refuses everything unread. In turns, in the
 * same run; server, polite client and flood are processes of their own. By hand: node bench/flood.ts
 * FLOOD=bulks (default: 1000 plain transfers each), bodies (1000 that fill what a body may have), reads or keys;
 * FLOOD_LIMITS=none shows what the limits are for. FLOOD_ROUNDS: 18 take five minutes; with fewer, chance decides.
 */

type Kind = 'bulks' | 'bodies' | 'reads' | 'keys'
interface Task {
  address: string
  key: string
  kind: Kind | 'polite' | 'decoy'
}
interface Measured {
  latencies: number[]
  statuses: Record<string, number>
}

const rounds = Number(process.env['FLOOD_ROUNDS'] ?? 18)
const turnMs = 5_000
/** With these in each transfer a bulk of 1000 is just within 1 MiB. */
const filler = { note: 'x'.repeat(400), other: 'y'.repeat(400) }

const given = process.env['FLOOD_TASK']
const task = given === undefined ? null : (JSON.parse(given) as Task)
if (task === null) await measure()
else if (task.kind === 'decoy') serveAsDecoy()
else await act({ ...task, kind: task.kind })

async function measure(): Promise<void> {
  const kind = (process.env['FLOOD'] ?? 'bulks') as Kind
  const folder = mkdtempSync(path.join(tmpdir(), 'bulkhead-flood-'))
  const postgres = await startEmbeddedPostgres({ directory: path.join(folder, 'postgresql') })
  const none = {
    REQUESTS_PER_MINUTE: 10_000_000,
    TRANSFERS_PER_MINUTE: 1_000_000_000,
    BIG_BODIES_AT_ONCE: 100
  }
  const limits = process.env['FLOOD_LIMITS'] === 'none' ? none : {}
  const system = await startSystem(postgres.url, createInstantBank(), limits)
  try {
    const { polite, flood } = await twoTenants(system)
    const tasks = {
      polite: { address: system.address, key: polite, kind: 'polite' as const },
      flood: { address: system.address, key: flood, kind }
    }
    const decoy = start({ address: '', key: '', kind: 'decoy' })
    const [address] = (await once(decoy, 'message')) as [string]
    await turn(tasks.polite)
    const alone: number[] = []
    const elsewhere: number[] = []
    const beside: number[] = []
    for (let round = 1; round <= rounds; round++) {
      alone.push(...(await turn(tasks.polite)).latencies)
      const other = start({ ...tasks.flood, address })
      elsewhere.push(...(await turn(tasks.polite)).latencies)
      await stop(other)
      const flooding = start(tasks.flood)
      const polite = await turn(tasks.polite)
      beside.push(...polite.latencies)
      const flooded = await stop(flooding)
      say(
        `round ${round}: flood ${JSON.stringify(flooded.statuses)}, polite ${JSON.stringify(polite.statuses)}`
      )
    }
    decoy.kill()
    say(
      `flood of ${kind}${'BIG_BODIES_AT_ONCE' in limits ? ' without limits' : ''}; polite bulks of 20, milliseconds:`
    )
    for (const [name, share] of [
      ['p50', 0.5],
      ['p90', 0.9],
      ['p99', 0.99]
    ] as const)
      say(
        `${name}: alone ${at(alone, share)}, beside a flood elsewhere ${at(elsewhere, share)}, beside the flood ${at(beside, share)}: x${ratio(beside, elsewhere, share)} of elsewhere, x${ratio(beside, alone, share)} of alone`
      )
    say(`${alone.length}, ${elsewhere.length} and ${beside.length} bulks`)
  } finally {
    await system.stop()
    await postgres.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function twoTenants(system: System): Promise<{ polite: string; flood: string }> {
  const owner = openDatabase({ url: system.url, maxConnections: 1, applicationName: 'bulkhead-flood' })
  const database = { db: owner, url: system.url, sql: system.sql }
  const [polite, flood] = [
    await anOrganization(owner, { funds_minor: 10n ** 15n }),
    await anOrganization(owner, { funds_minor: 10n ** 15n })
  ]
  await owner.close()
  return { polite: await aKey(database, polite), flood: await aKey(database, flood) }
}

/** Lets a client act for one turn. */
async function turn(task: Task): Promise<Measured> {
  const client = start(task)
  await sleep(turnMs)
  return stop(client)
}

function start(task: Task): ChildProcess {
  return fork(import.meta.filename, { env: { ...process.env, FLOOD_TASK: JSON.stringify(task) } })
}

async function stop(client: ChildProcess): Promise<Measured> {
  client.send('stop')
  const [measured] = (await once(client, 'message')) as [Measured]
  await once(client, 'exit')
  return measured
}

/** A server that refuses everything unread. */
function serveAsDecoy(): void {
  const server = createServer((_, response) => {
    response.writeHead(429, { connection: 'close' }).end()
  })
  server.listen(0, '127.0.0.1', () => {
    const bound = server.address()
    if (typeof bound === 'object' && bound !== null) process.send?.(`http://127.0.0.1:${bound.port}`)
  })
}

/** A client, until it is told to stop. */
async function act({ address, key, kind }: Task & { kind: Kind | 'polite' }): Promise<void> {
  const measured: Measured = { latencies: [], statuses: {} }
  const clients = kind === 'polite' ? 1 : 64
  const pool = new Pool(address, { connections: clients, pipelining: 1 })
  // A flood comes from elsewhere: what it costs its sender is not to be taken from this machine's server.
  if (kind !== 'polite') setPriority(19)
  const state = { going: true }
  process.once('message', () => (state.going = false))
  const one = async (): Promise<void> => {
    const nextRequest = createRequests(kind)
    while (state.going) {
      const { method, path, body } = nextRequest()
      const began = performance.now()
      const headers = {
        'content-type': 'application/json',
        ...bearer(kind === 'keys' ? `bh_test_${Math.random()}` : key)
      }
      const status = await pool.request({ method, path, headers, ...(body === null ? {} : { body }) }).then(
        async (answer) => {
          await answer.body.dump()
          return String(answer.statusCode)
        },
        () => 'broken'
      )
      measured.latencies.push(performance.now() - began)
      measured.statuses[status] = (measured.statuses[status] ?? 0) + 1
      if (kind === 'polite') await sleep(20)
    }
  }
  await Promise.all(Array.from({ length: clients }, one))
  await pool.close()
  process.send?.(measured, () => process.disconnect?.())
}

interface Request {
  method: 'GET' | 'POST'
  path: string
  body: string | Buffer | null
}

/** What a client asks, again and again. */
function createRequests(kind: Kind | 'polite'): () => Request {
  if (kind === 'reads' || kind === 'keys') return () => ({ method: 'GET', path: '/accounts', body: null })
  const toSubmit = { method: 'POST', path: '/transfers/bulk' } as const
  if (kind === 'polite')
    return () => ({ ...toSubmit, body: JSON.stringify(aBulk({ transfers: 20, amount: '1.00' })) })
  // Written once, and given another id each time: the flood is to cost the server's time, and not its own.
  const body = writeBulk(kind === 'bodies' ? { metadata: filler } : {})
  const idAt = body.indexOf('"request_id":"') + '"request_id":"'.length
  return () => {
    body.write(randomUUID(), idAt)
    return { ...toSubmit, body }
  }
}

function writeBulk(more: object): Buffer {
  const credit_transfers = Array.from({ length: 1000 }, () => aTransfer({ amount: '1.00', ...more }))
  return Buffer.from(JSON.stringify({ ...aBulk(), credit_transfers }))
}

function at(latencies: number[], share: number): number {
  const sorted = latencies.toSorted((one, other) => one - other)
  return Number((sorted[Math.floor(sorted.length * share)] ?? NaN).toFixed(1))
}

function ratio(latencies: number[], floor: number[], share: number): string {
  return (at(latencies, share) / at(floor, share)).toFixed(2)
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}
