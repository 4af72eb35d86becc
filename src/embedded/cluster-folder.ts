import { accessSync, constants, mkdirSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EmbeddedPostgresError } from './embedded-error.ts'

/** Where everything of one embedded database lies; the cluster itself is one folder below. */
export interface ClusterFolder {
  directory: string
  cluster: string
  password: string
  port: string
  log: string
  owner: string
  initialising: string
  ready: string
}

const ours =
  /^(cluster|password|port|server\.log(\.1)?|owner\.pid(\..*)?|\.initialising|initialising-.*|binaries-.*)$/

/** Names the files of an embedded database in a folder that exists and can be written, made if need be. */
export function openClusterFolder(given: string): ClusterFolder {
  const directory = makeWritable(given)
  return {
    directory,
    cluster: join(directory, 'cluster'),
    password: join(directory, 'password'),
    port: join(directory, 'port'),
    log: join(directory, 'server.log'),
    owner: join(directory, 'owner.pid'),
    initialising: join(directory, '.initialising'),
    ready: join(directory, '.ready')
  }
}

/** Tells an empty folder, our own interrupted one and a finished one apart; refuses all others, touching nothing. */
export function inspectFolder(
  folder: ClusterFolder,
  majorVersion: string
): 'empty' | 'interrupted' | 'ready' {
  // Read once: another Bulkhead may be turning an unfinished folder into a finished one right now.
  const names = readdirSync(folder.directory)
  if (names.includes('.ready')) {
    requireWholeCluster(folder, majorVersion)
    return 'ready'
  }
  // What is made before `.initialising`: the lock, and a copy of the programs where no other place will do.
  if (names.every((name) => /^(owner\.pid|binaries-)/.test(name))) return 'empty'
  const foreign = names.filter((name) => !ours.test(name))
  if (names.includes('.initialising') && foreign.length === 0) return 'interrupted'
  throw new EmbeddedPostgresError(
    'half-initialised',
    `${folder.directory} holds files that are not a finished Bulkhead database ` +
      `(${(foreign.length > 0 ? foreign : names).slice(0, 5).join(', ')}), so it was left untouched. ` +
      'Set DATA_DIR to a new or empty folder, or move these files away.'
  )
}

/** Makes names created in the directory survive a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Writes a small file of this folder so that it is on the disk, name and content, when this returns. */
export async function writeDurably(folder: ClusterFolder, path: string, text: string): Promise<void> {
  await writeFile(path, text, { mode: 0o600, flush: true })
  await syncDirectory(folder.directory)
}

function makeWritable(directory: string): string {
  try {
    mkdirSync(directory, { recursive: true })
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
    return realpathSync(directory)
  } catch (error) {
    throw new EmbeddedPostgresError(
      'permission-denied',
      `Bulkhead cannot keep its database in ${directory}: ${error instanceof Error ? error.message : String(error)}. ` +
        'Give this user the right to write there, or set DATA_DIR to a folder of its own.',
      { cause: error }
    )
  }
}

function requireWholeCluster(folder: ClusterFolder, majorVersion: string): void {
  const versionFile = join(folder.cluster, 'PG_VERSION')
  const missing = [versionFile, folder.password].filter((path) => !readable(path))
  if (missing.length > 0) {
    throw new EmbeddedPostgresError(
      'half-initialised',
      `The database in ${folder.directory} is incomplete: ${missing.join(' and ')} missing. It was left ` +
        'untouched. Bring the missing part back from a backup, or set DATA_DIR to a new folder.'
    )
  }
  const madeBy = readFileSync(versionFile, 'utf8').trim()
  if (madeBy !== majorVersion) {
    throw new EmbeddedPostgresError(
      'wrong-major-version',
      `The database in ${folder.directory} was made by PostgreSQL ${madeBy}, but this Bulkhead brings ` +
        `PostgreSQL ${majorVersion}, which cannot open it. It was left untouched. Set DATA_DIR to a new folder, ` +
        `or point DATABASE_URL at a PostgreSQL ${madeBy} server that holds the data.`
    )
  }
}

function readable(path: string): boolean {
  try {
    readFileSync(path)
    return true
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT') return false
    if (code !== 'EACCES' && code !== 'EPERM') throw error
    throw new EmbeddedPostgresError(
      'permission-denied',
      `${path} belongs to another user. Start Bulkhead as the user who made this database (or as root), ` +
        'or set DATA_DIR to a folder of your own.',
      { cause: error }
    )
  }
}
