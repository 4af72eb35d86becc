import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Runner } from './choose-runner.ts'
import type { ClusterFolder } from './cluster-folder.ts'
import { EmbeddedPostgresError } from './embedded-error.ts'
import { readPostmasterFile, type RunningServer } from './find-running-server.ts'
import { processIdentity } from './process-identity.ts'

export interface ServerOptions {
  runner: Runner
  folder: ClusterFolder
  settings: Record<string, string>
  onProgress: (message: string) => void
}

type Launch =
  | { outcome: 'ready'; server: RunningServer }
  | { outcome: 'port-taken' | 'memory-in-use' | 'failed'; log: string }

const readyWithinMs = 300_000 // recovery after a power cut reads up to 4 GB of log
const launches = 50

/** Starts a server that outlives this process and answers on a free port of 127.0.0.1, kept for next time. */
export async function runServer(options: ServerOptions): Promise<RunningServer> {
  const { folder, onProgress } = options
  let port = await choosePort(folder, onProgress)
  const settings = await serverSettings(options)
  for (let launch = 1; ; launch++) {
    const result = await launchServer({ ...options, settings }, port)
    if (result.outcome === 'ready') {
      await writeFile(folder.port, String(port))
      return result.server
    }
    if (result.outcome === 'failed' || launch === launches)
      throw startFailed(result.outcome, folder, result.log)
    if (result.outcome === 'port-taken') port = await freePort(0)
    // The workers of a killed server leave its memory within moments of noticing.
    else await pause(200)
  }
}

/** One attempt on one port; reports a lost race for it instead of failing. */
export async function launchServer(options: ServerOptions, port: number): Promise<Launch> {
  const { runner, folder, settings } = options
  rotateLog(folder.log)
  const log = openSync(folder.log, 'a', 0o600)
  const logStart = statSync(folder.log).size
  const assignments = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const program = join(runner.native, 'bin', 'postgres')
  const command = runner.command(program, ['-D', folder.cluster, '-p', String(port), ...assignments])
  // A session of its own: Ctrl-C must reach us, not the server. No pipes: our death must not break its log.
  const child = spawn(command.file, command.args, {
    ...command.options,
    detached: true,
    stdio: ['ignore', log, log],
    windowsHide: true
  })
  child.unref()
  closeSync(log)
  const server = await waitUntilReady(child, folder, port)
  if (server !== undefined) return { outcome: 'ready', server }
  const said = readFileSync(folder.log).subarray(logStart).toString('utf8')
  if (/Address already in use|could not bind/.test(said)) return { outcome: 'port-taken', log: said }
  if (said.includes('pre-existing shared memory block')) return { outcome: 'memory-in-use', log: said }
  return { outcome: 'failed', log: said }
}

async function waitUntilReady(
  child: ChildProcess,
  folder: ClusterFolder,
  port: number
): Promise<RunningServer | undefined> {
  const ended = new AbortController()
  child.once('exit', () => ended.abort())
  child.once('error', () => ended.abort())
  const deadline = Date.now() + readyWithinMs
  while (!ended.signal.aborted) {
    const recorded = readPostmasterFile(folder.cluster)
    if (child.pid !== undefined && recorded?.pid === child.pid && recorded.status === 'ready') {
      return { pid: child.pid, port, identity: processIdentity(child.pid) }
    }
    if (Date.now() > deadline) child.kill('SIGINT')
    await pause(20, undefined, { signal: ended.signal }).catch(() => undefined)
  }
  return undefined
}

async function serverSettings({ runner, folder, settings }: ServerOptions): Promise<Record<string, string>> {
  return {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '100',
    shared_buffers: totalmem() > 4 * 1024 ** 3 ? '256MB' : '128MB',
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    max_wal_size: '4GB',
    checkpoint_timeout: '15min',
    logging_collector: 'off',
    log_destination: 'stderr',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...((await accepts(runner, folder, 'wal_compression=lz4')) ? { wal_compression: 'lz4' } : {}),
    ...settings
  }
}

/** `-C` makes postgres check its settings, print one and end. */
async function accepts(runner: Runner, folder: ClusterFolder, assignment: string): Promise<boolean> {
  const program = join(runner.native, 'bin', 'postgres')
  const check = ['-D', folder.cluster, '-C', 'wal_compression', '-c', assignment]
  const { file, args, options } = runner.command(program, check)
  return await promisify(execFile)(file, args, options).then(
    () => true,
    () => false
  )
}

async function choosePort(folder: ClusterFolder, onProgress: (message: string) => void): Promise<number> {
  let stored = 0
  try {
    stored = Number(readFileSync(folder.port, 'utf8')) || 0
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const port = await freePort(stored).catch(() => freePort(0))
  if (stored !== 0 && port !== stored)
    onProgress(`Port ${stored} is taken; the database moves to port ${port}`)
  return port
}

/** Resolves to the wanted port, or to any for 0, that nobody listens on at this moment. */
function freePort(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(wanted, '127.0.0.1', () => {
      const address = probe.address()
      const port = typeof address === 'object' && address !== null ? address.port : wanted
      probe.close(() => resolve(port))
    })
  })
}

function rotateLog(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size > 10 * 1024 * 1024) renameSync(path, `${path}.1`)
}

function startFailed(
  outcome: 'port-taken' | 'memory-in-use' | 'failed',
  folder: ClusterFolder,
  log: string
): Error {
  const lastLines = log.trim().split('\n').slice(-12).join('\n')
  return new EmbeddedPostgresError(
    outcome === 'port-taken' ? 'port-taken' : 'start-failed',
    `PostgreSQL did not start in ${folder.cluster}. Mend what it names below, or set DATABASE_URL to a server of ` +
      `yours. The end of ${folder.log}:\n${lastLines || '(it wrote nothing)'}`
  )
}
