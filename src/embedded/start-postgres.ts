import { execFile } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { promisify } from 'node:util'
import pg from 'pg'
import { chooseRunner, type Runner } from './choose-runner.ts'
import { type ClusterFolder, inspectFolder, openClusterFolder } from './cluster-folder.ts'
import {
  askServer,
  findRunningServer,
  readPostmasterFile,
  type RunningServer
} from './find-running-server.ts'
import { initialiseCluster, wipeInterrupted } from './initialise-cluster.ts'
import { type Binaries, locateBinaries } from './locate-binaries.ts'
import { acquireOwnerLock, type OwnerLock } from './owner-lock.ts'
import { processIdentity } from './process-identity.ts'
import { runServer } from './run-server.ts'
import { stopServer } from './stop-server.ts'

export interface EmbeddedPostgres {
  /** postgres://bulkhead:<password>@127.0.0.1:<port>/bulkhead */
  url: string
  /** True when the server had outlived a killed Bulkhead and was taken over. */
  adopted: boolean
  dataDirectory: string
  /** Starts the server again, on its old port, if its process has ended by itself; tells whether it had to. */
  revive(): Promise<boolean>
  /** Fast shutdown; returns when the server's process is gone and the folder is free for another Bulkhead. */
  stop(): Promise<void>
}

export interface EmbeddedOptions {
  directory: string
  /** Extra PostgreSQL settings, stronger than ours. */
  settings?: Record<string, string>
  onProgress?: (message: string) => void
  /** Another copy of the package's folder "native", for tests. */
  binaries?: string
}

/** Returns a durable PostgreSQL that answers on 127.0.0.1 and is owned by this process alone, or says how to get one. */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const binaries = await locateBinaries(options.binaries)
  const folder = openClusterFolder(options.directory)
  // Before the lock, so that a folder of someone else's is not touched at all.
  inspectFolder(folder, binaries.majorVersion)
  const lock = acquireOwnerLock(folder.owner)
  try {
    return await startOwned(options, { binaries, folder, lock })
  } catch (error) {
    lock.release()
    throw error
  }
}

/** The address of the server that is running in this folder, started by any Bulkhead, or null; touches nothing. */
export async function findEmbeddedPostgres(directory: string): Promise<string | null> {
  const folder = openClusterFolder(directory)
  if (!existsSync(folder.password)) return null
  const password = readFileSync(folder.password, 'utf8').trim()
  const recorded = readPostmasterFile(folder.cluster)
  if (recorded === undefined) return null
  const answer = await askServer(recorded.port, password, folder.cluster)
  return answer === 'ours' ? serverUrl(recorded, password, 'bulkhead') : null
}

async function startOwned(
  options: EmbeddedOptions,
  { binaries, folder, lock }: { binaries: Binaries; folder: ClusterFolder; lock: OwnerLock }
): Promise<EmbeddedPostgres> {
  const onProgress = options.onProgress ?? ((): void => undefined)
  const runner = await chooseRunner(binaries, folder, onProgress)
  const state = inspectFolder(folder, binaries.majorVersion)
  if (state === 'interrupted') {
    onProgress(`The creation of the database in ${folder.directory} was interrupted; starting it over`)
    await wipeInterrupted(folder)
  }
  if (state !== 'ready') {
    onProgress(`Creating a database in ${folder.directory}`)
    await initialiseCluster(runner, folder)
  }
  const password = readFileSync(folder.password, 'utf8').trim()
  const running = await findRunningServer(folder, password)
  if (running !== undefined)
    onProgress(`Taking over the server that is already running (process ${running.pid})`)
  else await giveToAccount(runner, folder)
  const settings = options.settings ?? {}
  const server = running ?? (await runServer({ runner, folder, settings, onProgress }))
  try {
    await createDatabase(server, password)
  } catch (error) {
    await stopServer(server, runner, folder)
    throw error
  }
  const adopted = running !== undefined
  const restart = (): Promise<RunningServer> => runServer({ runner, folder, settings, onProgress })
  return { ...handle({ server, password, runner, folder, lock, restart }), adopted }
}

function handle(owned: {
  server: RunningServer
  password: string
  runner: Runner
  folder: ClusterFolder
  lock: OwnerLock
  restart: () => Promise<RunningServer>
}): Omit<EmbeddedPostgres, 'adopted'> {
  const { password, runner, folder, lock, restart } = owned
  let { server } = owned
  let stopping: Promise<void> | undefined
  let reviving: Promise<boolean> | undefined

  async function revive(): Promise<boolean> {
    if (stopping !== undefined || processIdentity(server.pid) === server.identity) return false
    const { port } = server
    server = await restart()
    if (server.port !== port)
      throw new Error(`PostgreSQL runs again, but on port ${server.port}, since ${port} is taken`)
    return true
  }

  async function stop(): Promise<void> {
    await reviving?.catch(() => undefined)
    await stopServer(server, runner, folder).finally(() => lock.release())
  }

  return {
    url: serverUrl(server, password, 'bulkhead'),
    dataDirectory: folder.cluster,
    revive: () => (reviving ??= revive().finally(() => (reviving = undefined))),
    stop: () => (stopping ??= stop())
  }
}

/** A cluster restored or copied by root belongs to root, and PostgreSQL only opens its own user's. */
async function giveToAccount({ account }: Runner, folder: ClusterFolder): Promise<void> {
  if (account === undefined || statSync(folder.cluster).uid === account.uid) return
  await promisify(execFile)('chown', ['-R', `${account.uid}:${account.gid}`, folder.cluster, folder.password])
}

async function createDatabase(server: RunningServer, password: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl(server, password, 'postgres') })
  await client.connect()
  try {
    const { rowCount } = await client.query(`select from pg_database where datname = 'bulkhead'`)
    if (rowCount === 0) await client.query('create database bulkhead')
  } finally {
    await client.end()
  }
}

function serverUrl(server: { port: number }, password: string, database: string): string {
  return `postgres://bulkhead:${password}@127.0.0.1:${server.port}/${database}`
}
