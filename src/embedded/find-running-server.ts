import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import type { ClusterFolder } from './cluster-folder.ts'
import { EmbeddedPostgresError } from './embedded-error.ts'
import { isServerOf, processIdentity } from './process-identity.ts'

export interface RunningServer {
  pid: number
  port: number
  identity: string | undefined
}

interface PostmasterFile {
  pid: number
  port: number
  status: string
}

const decidedWithinMs = 120_000

/**
 * Finds the server that a killed Bulkhead left alive: it must take our password and name our cluster as its own.
 * A pid alone proves nothing, since numbers are used again.
 */
export async function findRunningServer(
  folder: ClusterFolder,
  password: string
): Promise<RunningServer | undefined> {
  const deadline = Date.now() + decidedWithinMs
  for (;;) {
    const recorded = readPostmasterFile(folder.cluster)
    if (recorded === undefined) return undefined
    const identity = processIdentity(recorded.pid)
    if (identity === undefined) {
      disownPostmasterFile(folder.cluster, recorded.pid)
      return undefined
    }
    const answer = await askServer(recorded.port, password, folder.cluster)
    if (answer === 'ours') return { pid: recorded.pid, port: recorded.port, identity }
    const isServer = isServerOf(recorded.pid, folder.cluster)
    if (isServer === undefined) return undefined
    if (!isServer) {
      disownPostmasterFile(folder.cluster, recorded.pid)
      return undefined
    }
    // A postgres of this cluster that is still starting or already stopping will be one or the other soon.
    if (answer === 'foreign' || Date.now() > deadline) throw notAdoptable(recorded, folder)
    await pause(50)
  }
}

/** Reads what a postmaster wrote about itself; undefined while there is no (whole) file. */
export function readPostmasterFile(cluster: string): PostmasterFile | undefined {
  let text: string
  try {
    text = readFileSync(join(cluster, 'postmaster.pid'), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const lines = text.split('\n')
  const [pid, port] = [Number(lines[0]), Number(lines[3])]
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
  return { pid, port: Number.isSafeInteger(port) ? port : 0, status: (lines[7] ?? '').trim() }
}

/** Whether a server answers on this port, takes our password and names this cluster as its own. */
export async function askServer(
  port: number,
  password: string,
  cluster: string
): Promise<'ours' | 'foreign' | 'not-ready'> {
  if (port === 0) return 'not-ready'
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: 'bulkhead',
    password,
    database: 'postgres',
    connectionTimeoutMillis: 3000,
    query_timeout: 3000
  })
  client.on('error', () => undefined) // the same failure rejects the call below
  try {
    await client.connect()
    const { rows } = await client.query<{ data_directory: string }>('show data_directory')
    return rows[0]?.data_directory === cluster ? 'ours' : 'foreign'
  } catch (error) {
    const code = (error as { code?: string }).code ?? ''
    // 28xxx: wrong password or user. Everything else may be a server on its way up or down.
    return code.startsWith('28') ? 'foreign' : 'not-ready'
  } finally {
    await client.end().catch(() => undefined)
  }
}

/**
 * PostgreSQL refuses to start while the recorded pid exists (a foreign process, or a zombie in a container without
 * an init), unless that is its own parent: then it knows the file is stale and goes on to check the shared memory.
 * So our pid in the file, not its removal, keeps that last check should workers of the old server still be running.
 */
function disownPostmasterFile(cluster: string, pid: number): void {
  const path = join(cluster, 'postmaster.pid')
  const text = readFileSync(path, 'utf8')
  if (text.startsWith(`${pid}\n`)) writeFileSync(path, text.replace(/^\d+/, String(process.pid)))
}

function notAdoptable(recorded: PostmasterFile, folder: ClusterFolder): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    'start-failed',
    `A PostgreSQL server (process ${recorded.pid}, port ${recorded.port}) is using ${folder.cluster}, but it does ` +
      `not answer as the one Bulkhead started there. If it is no longer needed, stop it with ` +
      `"kill -INT ${recorded.pid}" and start Bulkhead again; ${folder.log} tells more.`
  )
}
