import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, realpathSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { findEmbeddedPostgres } from '../../src/embedded/start-postgres.ts'
import type { Answer } from '../support/api.ts'
import { aBulk } from '../support/builders.ts'
import { findFreePorts } from '../support/ports.ts'
import { demoOrganization } from '../../src/organizations/demo-organization.ts'
import { isAlive, removeFootprint, until, type Footprint } from './processes.ts'

/** One installation: its folder, its addresses, the settings that lead there, and what was started in it. */
export interface Place extends Footprint {
  url: string
  bankUrl: string
  environment: Record<string, string>
}

export interface Program {
  pid: number
  /** What it has written so far. */
  stdout(): string
  stderr(): string
  exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

/** A test, or the hooks of a file. */
interface Scope {
  after(hook: () => Promise<void>): unknown
}

const root = path.join(import.meta.dirname, '../..')
const node = [process.execPath, path.join(root, 'src/main.ts')]
const guard = startGuard()

/** A new, empty installation on free ports; whatever still runs in it is killed and its folder removed afterwards. */
export async function makePlace(scope: Scope, settings: Record<string, string> = {}): Promise<Place> {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'bulkhead-e2e-')))
  chmodSync(folder, 0o755) // PostgreSQL has to reach its data as another user than root
  const [port, bankPort] = await findFreePorts(2)
  const dataDir = path.join(folder, 'data')
  const environment = {
    ...strangersEnvironment(),
    PORT: `${port}`,
    SANDBOX_BANK_PORT: `${bankPort}`,
    DATA_DIR: dataDir,
    ...settings
  }
  const place: Place = {
    folder,
    dataDir,
    url: `http://127.0.0.1:${port}`,
    bankUrl: settings['BANK_URL'] ?? `http://127.0.0.1:${bankPort}`,
    environment,
    started: []
  }
  tellGuard(place)
  scope.after(() => removePlace(place))
  return place
}

/** Starts a program of its own process group; without `command` it is `node src/main.ts start`. */
export function launch(
  place: Place,
  options: { command?: string[]; cwd?: string; settings?: Record<string, string> } = {}
): Program {
  const [file = '', ...args] = options.command ?? [...node, 'start']
  const child = spawn(file, args, {
    cwd: options.cwd ?? place.folder,
    env: { ...place.environment, ...options.settings },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const exit = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  child.once('error', () => undefined) // it has no pid then
  if (child.pid === undefined) throw new Error(`${file} can't be started in ${options.cwd ?? place.folder}`)
  place.started.push(child.pid)
  tellGuard(place)
  return { pid: child.pid, stdout: collect(child.stdout), stderr: collect(child.stderr), exit }
}

/** Starts Bulkhead and returns when it says that it is ready. */
export async function start(place: Place, options: Parameters<typeof launch>[1] = {}): Promise<Program> {
  const program = launch(place, options)
  await until('the program is ready', () => {
    if (/Bulkhead (is ready at|works on transfers)/.test(program.stderr())) return true
    if (!isAlive(program.pid)) throw new Error(`it ended: ${program.stderr()}${program.stdout()}`)
    return false
  })
  return program
}

/** Runs a command of the program (or another one) to its end. */
export async function run(
  place: Place,
  command: string[],
  options: { cwd?: string; settings?: Record<string, string>; foreign?: boolean } = {}
): Promise<{ code: number | null; stdout: string; stderr: string; took_ms: number }> {
  const startedAt = performance.now()
  const program = launch(place, { ...options, command: options.foreign ? command : [...node, ...command] })
  const { code } = await program.exit
  return {
    code,
    stdout: program.stdout(),
    stderr: program.stderr(),
    took_ms: Math.round(performance.now() - startedAt)
  }
}

/** One call of the API, or of the bank by its whole address. */
export async function call(place: Place, target: string, body?: unknown): Promise<Answer> {
  const response = await fetch(target.startsWith('http') ? target : place.url + target, {
    ...(body === undefined
      ? {}
      : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

/** Asks the embedded database of a place itself. */
export async function askDatabase<Row extends pg.QueryResultRow>(place: Place, text: string): Promise<Row[]> {
  const connectionString = await findEmbeddedPostgres(path.join(place.dataDir, 'postgresql'))
  const client = new pg.Client({ connectionString: connectionString ?? '' })
  await client.connect()
  try {
    return (await client.query<Row>(text)).rows
  } finally {
    await client.end()
  }
}

/** Submits bulks of 1000 transfers at the same time, paid by the demo organization's rich account. */
export async function submitBulks(place: Place, count: number): Promise<string[]> {
  const organization_iban = demoOrganization.accounts[1].iban
  const bulks = Array.from({ length: count }, () => aBulk({ transfers: 1000, organization_iban }))
  const answers = await Promise.all(bulks.map((bulk) => call(place, '/transfers/bulk', bulk)))
  assert.deepEqual(
    answers.map(({ status }) => status),
    bulks.map(() => 201)
  )
  return bulks.map((bulk) => bulk.request_id)
}

/** The states of bulks. */
export function readStatuses(place: Place, bulkIds: string[]) {
  return Promise.all(
    bulkIds.map(async (id) => (await call(place, `/transfers/bulk/${id}/status`)).body as BulkStatus)
  )
}
interface BulkStatus {
  status: string
  final: boolean
  progress: number
  executed: { count: number }
  unknown: { count: number }
}

/** Returns when all bulks are final. */
export async function untilFinal(place: Place, bulkIds: string[]): Promise<void> {
  await until('all bulks are final', async () =>
    (await readStatuses(place, bulkIds)).every((bulk) => bulk.final)
  )
}

/** Proves that every bulk of 1000 was paid whole and nothing twice: by the API, by the bank's own log, by the checker. */
export async function expectAllPaid(place: Place, bulkIds: string[]): Promise<void> {
  await untilFinal(place, bulkIds)
  const statuses = await readStatuses(place, bulkIds)
  assert.deepEqual(
    statuses.map(({ status, executed }) => ({ status, executed: executed.count })),
    bulkIds.map(() => ({ status: 'COMPLETED', executed: 1000 }))
  )
  const listed = await call(place, `${place.bankUrl}/payments?limit=1`)
  assert.equal((listed.body as { count: number }).count, bulkIds.length * 1000)
  const verification = await run(place, ['verify'])
  assert.equal(verification.code, 0, verification.stdout + verification.stderr)
  assert.match(verification.stdout, /Verdict: clean/)
}

/** Only what every terminal has: no settings of this test run, and no node of this checkout on the path. */
function strangersEnvironment(): Record<string, string> {
  const { PATH = '', HOME = '/', NODE_COMPILE_CACHE = '' } = process.env
  const paths = PATH.split(path.delimiter).filter((entry) => !entry.includes('node_modules'))
  return { PATH: paths.join(path.delimiter), HOME, NODE_COMPILE_CACHE }
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = ''
  stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  return () => text
}

async function removePlace(place: Place): Promise<void> {
  await removeFootprint(place)
  place.started = []
  tellGuard(place)
}

/** Programs lead process groups of their own, so what ends this process does not reach them; the guard does. */
function tellGuard({ folder, dataDir, started }: Footprint): void {
  guard.stdin.write(`${JSON.stringify({ folder, dataDir, started })}\n`)
}

function startGuard() {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'guard.ts')], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore']
  })
  child.unref()
  if (child.stdin instanceof Socket) child.stdin.unref()
  return child
}
