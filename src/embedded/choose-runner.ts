import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdtemp, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ClusterFolder } from './cluster-folder.ts'
import { EmbeddedPostgresError } from './embedded-error.ts'
import type { Binaries } from './locate-binaries.ts'
import { type Account, chooseAccount } from './unprivileged-account.ts'

export interface Command {
  file: string
  args: string[]
  options: { cwd: string; env: NodeJS.ProcessEnv; uid?: number; gid?: number }
}

/** How PostgreSQL's programs are started here: under which account, from which folder. */
export interface Runner {
  native: string
  account: Account | undefined
  command(program: string, args: string[]): Command
}

/** Finds a way to run PostgreSQL that is not root and reaches both its programs and its data. */
export async function chooseRunner(
  binaries: Binaries,
  folder: ClusterFolder,
  onProgress: (message: string) => void
): Promise<Runner> {
  if (process.getuid?.() !== 0) return plainRunner(binaries.native, undefined)
  const account = await chooseAccount(folder.cluster)
  const direct = plainRunner(binaries.native, account)
  if (!(await succeeds(direct, ':', []))) throw cannotBecome(account)
  if (await reaches(direct, folder.directory)) return direct
  // The reading capability is enough for a checkout below /root. Containers often lack that one but have
  // dac_override, which also covers programs installed under umask 077.
  for (const capability of ['dac_read_search', 'dac_override']) {
    const runner = capabilityRunner(binaries.native, account, capability)
    if (!(await reaches(runner, folder.directory))) continue
    onProgress(
      `User ${account.uid} cannot reach ${folder.directory}: giving PostgreSQL CAP_${capability.toUpperCase()}`
    )
    return runner
  }
  return await copyRunner(binaries, account, folder, onProgress)
}

function plainRunner(native: string, account: Account | undefined): Runner {
  return {
    native,
    account,
    command: (program, args) => ({ file: program, args, options: { ...cleanSurroundings(), ...account } })
  }
}

/**
 * PostgreSQL checks its own program file with access(2), which drops a capability held by anyone but root
 * unless the securebit no_setuid_fixup is set; without that bit it stops with "invalid binary".
 */
function capabilityRunner(native: string, account: Account, capability: string): Runner {
  const privileges = [
    `--reuid=${account.uid}`,
    `--regid=${account.gid}`,
    '--clear-groups',
    '--no-new-privs',
    '--securebits=+no_setuid_fixup',
    `--inh-caps=+${capability}`,
    `--ambient-caps=+${capability}`
  ]
  return {
    native,
    account,
    command: (program, args) => ({
      file: 'setpriv',
      args: [...privileges, program, ...args],
      options: cleanSurroundings()
    })
  }
}

/** The last resort: without capabilities the programs can be copied to where the data is, but not the data. */
async function copyRunner(
  binaries: Binaries,
  account: Account,
  folder: ClusterFolder,
  onProgress: (message: string) => void
): Promise<Runner> {
  const copy = join(folder.directory, `binaries-${binaries.version}`)
  const runner = plainRunner(copy, account)
  if (!(await succeeds(runner, 'cd "$1"', [folder.directory]))) throw unreachable(account, folder)
  if (!existsSync(copy)) {
    onProgress(`User ${account.uid} cannot reach ${binaries.native}: copying PostgreSQL to ${copy}`)
    const partial = await mkdtemp(`${copy}-`)
    await cp(binaries.native, partial, { recursive: true, verbatimSymlinks: true })
    await chmod(partial, 0o755)
    await rename(partial, copy)
  }
  if (await reaches(runner, folder.directory)) return runner
  throw unreachable(account, folder)
}

/** Asks the kernel by trying, because modes, access lists and mounts all have a say. */
async function reaches(runner: Runner, directory: string): Promise<boolean> {
  const script = '"$1/bin/postgres" --version && : < "$1/share/postgresql/postgres.bki" && cd "$2"'
  return await succeeds(runner, script, [runner.native, directory])
}

async function succeeds(runner: Runner, script: string, words: string[]): Promise<boolean> {
  const { file, args, options } = runner.command('/bin/sh', ['-c', script, 'sh', ...words])
  try {
    await promisify(execFile)(file, args, options)
    return true
  } catch {
    return false
  }
}

function cannotBecome(account: Account): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    'no-unprivileged-user',
    `PostgreSQL refuses to run as root, and this root may not start a process as user ${account.uid} ` +
      '(a container without CAP_SETUID and CAP_SETGID?). Run Bulkhead as an ordinary user, or set DATABASE_URL.'
  )
}

function unreachable(account: Account, folder: ClusterFolder): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    'unreachable-directory',
    `PostgreSQL refuses to run as root, so it runs as user ${account.uid}, who may not enter ${folder.directory}. ` +
      'Set DATA_DIR to a folder that every user can reach (for example /var/lib/bulkhead), run Bulkhead as an ' +
      'ordinary user, or set DATABASE_URL.'
  )
}

/** Nothing of ours may steer the server: no PG* variables, no library paths, no folder it cannot enter. */
function cleanSurroundings(): { cwd: string; env: NodeJS.ProcessEnv } {
  if (process.platform === 'win32')
    return { cwd: process.cwd(), env: { ...process.env, TZ: 'UTC', LC_ALL: 'C' } }
  return { cwd: '/', env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', TZ: 'UTC', LC_ALL: 'C' } }
}
