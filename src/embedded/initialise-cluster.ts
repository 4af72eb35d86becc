import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Runner } from './choose-runner.ts'
import { type ClusterFolder, syncDirectory, writeDurably } from './cluster-folder.ts'
import { EmbeddedPostgresError } from './embedded-error.ts'

/**
 * Makes a new cluster with a random password; the marker `.ready` is written only when all of it is on disk,
 * so a kill at any moment leaves either no database or a whole one.
 */
export async function initialiseCluster(runner: Runner, folder: ClusterFolder): Promise<void> {
  await writeDurably(folder, folder.initialising, '')
  await writeDurably(folder, folder.password, randomBytes(24).toString('base64url'))
  // A killed Bulkhead leaves its initdb running. A new name each time keeps that one out of our cluster.
  const fresh = join(folder.directory, `initialising-${randomBytes(6).toString('hex')}`)
  await mkdir(fresh, { mode: 0o700 })
  if (runner.account !== undefined) {
    const { uid, gid } = runner.account
    await Promise.all([fresh, folder.password].map((path) => chown(path, uid, gid)))
  }
  await runInitdb(runner, folder, fresh)
  await rename(fresh, folder.cluster)
  await syncDirectory(folder.directory)
  await writeDurably(folder, folder.ready, '')
  await rm(folder.initialising)
}

/** Removes what an interrupted initdb left; no database was ever started from it. */
export async function wipeInterrupted(folder: ClusterFolder): Promise<void> {
  const names = await readdir(folder.directory)
  const left = names.filter(
    (name) => name.startsWith('initialising-') || name === 'cluster' || name === 'password'
  )
  // Retries: an initdb that outlived its Bulkhead may still be adding files, until it finds its folder gone.
  const options = { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }
  await Promise.all(left.map((name) => rm(join(folder.directory, name), options)))
}

async function runInitdb(runner: Runner, folder: ClusterFolder, fresh: string): Promise<void> {
  const { file, args, options } = runner.command(join(runner.native, 'bin', 'initdb'), [
    `--pgdata=${fresh}`,
    `--pwfile=${folder.password}`,
    '--username=bulkhead',
    '--auth=scram-sha-256',
    '--locale=C',
    '--encoding=UTF8',
    '--data-checksums'
  ])
  try {
    await promisify(execFile)(file, args, options)
  } catch (error) {
    const { stdout, stderr, message } = error as Error & { stdout?: string; stderr?: string }
    const said = `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n').slice(-8).join('\n')
    throw new EmbeddedPostgresError(
      'start-failed',
      `PostgreSQL could not make a new database in ${folder.directory}. Mend what initdb names below, or set ` +
        `DATABASE_URL to a PostgreSQL server of yours. It said:\n${said || message}`,
      { cause: error }
    )
  }
}
