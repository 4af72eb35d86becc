import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'

/**
 * Names a live process so that a later process under the same pid has another name; undefined when the
 * process is gone. A zombie counts as gone: in a container without an init nobody reaps it.
 */
export function processIdentity(pid: number): string | undefined {
  if (process.platform === 'linux') return linuxIdentity(pid)
  if (process.platform === 'win32') return signalReaches(pid) ? 'alive' : undefined
  const shown = processStatus(pid, 'stat=,lstart=')
  return shown === undefined || shown.startsWith('Z') ? undefined : shown.replace(/^\S+\s+/, '')
}

/** Tells whether the process is a postgres working in that cluster; undefined when nothing can be read. */
export function isServerOf(pid: number, cluster: string): boolean | undefined {
  if (process.platform === 'win32') return undefined
  if (process.platform !== 'linux') {
    const shown = processStatus(pid, 'command=')
    return shown === undefined ? undefined : /postgres|postmaster/.test(shown) && shown.includes(cluster)
  }
  const words = readIfAllowed(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))?.split('\0')
  if (words === undefined) return undefined
  const isPostgres = /^(postgres|postmaster)/.test(basename(words[0] ?? ''))
  // A postmaster's working directory is its cluster, even if the folder was moved since it started.
  const cwd = readIfAllowed(() => readlinkSync(`/proc/${pid}/cwd`))
  return isPostgres && (words.includes(cluster) || cwd === cluster)
}

function linuxIdentity(pid: number): string | undefined {
  const stat = readIfAllowed(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  if (stat === undefined) return undefined
  // The second field is the program's name in parentheses and may hold spaces; count from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, startedAt] = [fields[0], fields[19]]
  if (state === 'Z' || state === 'X' || startedAt === undefined) return undefined
  const boot = readIfAllowed(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')) ?? ''
  return `${startedAt}@${boot.trim()}`
}

function signalReaches(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function processStatus(pid: number, format: string): string | undefined {
  return readIfAllowed(
    () =>
      execFileSync('ps', ['-ww', '-o', format, '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
  )
}

function readIfAllowed<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
