import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { readPostmasterFile } from '../../src/embedded/find-running-server.ts'
import { isServerOf, processIdentity } from '../../src/embedded/process-identity.ts'
import { patienceMs } from '../support/patience.ts'

interface Process {
  pid: number
  parent: number
  group: number
}

/** What there is to remove of an installation: a folder, and the process groups that were started in it. */
export interface Footprint {
  folder: string
  dataDir: string
  started: number[]
}

/** The first answer of the probe that is neither undefined nor false; asks again and again until the deadline. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  deadlineMs = patienceMs
): Promise<T> {
  const deadline = performance.now() + deadlineMs
  for (;;) {
    const answer = await probe()
    if (answer !== undefined && answer !== false) return answer
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await pause(10)
  }
}

/** The live ones of these processes and of the process groups they lead, with all that descends from them. */
export function processTree(roots: number[]): number[] {
  const all = listProcesses()
  const tree = new Set(
    all.filter(({ pid, group }) => [pid, group].some((id) => roots.includes(id))).map(pidOf)
  )
  for (let size = 0; size < tree.size;) {
    size = tree.size
    for (const { pid, parent } of all) if (tree.has(parent)) tree.add(pid)
  }
  return [...tree].filter(isAlive)
}

/** Kills at one stroke, and returns when all of them are gone. */
export async function killAll(pids: number[]): Promise<void> {
  for (const pid of pids) sendSignal(pid, 'SIGKILL')
  await until(`processes ${pids.join(', ')} are gone`, () => !pids.some(isAlive))
}

/** Sends a signal to a process that may have ended already. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Whether the process lives; a zombie does not. */
export function isAlive(pid: number): boolean {
  return processIdentity(pid) !== undefined
}

/** The postmaster that works in this data folder, by its own file and proven by its command line; or undefined. */
export function findPostmaster(dataDir: string): number | undefined {
  const cluster = path.join(dataDir, 'postgresql', 'cluster')
  const pid = readPostmasterFile(cluster)?.pid
  return pid !== undefined && isAlive(pid) && isServerOf(pid, cluster) === true ? pid : undefined
}

/** Kills whatever runs in it, PostgreSQL in a session of its own included, and removes the folder. */
export async function removeFootprint({ folder, dataDir, started }: Footprint): Promise<void> {
  await killAll(processTree(started))
  const postmaster = findPostmaster(dataDir)
  if (postmaster !== undefined) {
    // An immediate shutdown gives back the shared memory, which a kill would leave.
    sendSignal(postmaster, 'SIGQUIT')
    await until('PostgreSQL is gone', () => !isAlive(postmaster)).catch(() =>
      killAll(processTree([postmaster]))
    )
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
}

function listProcesses(): Process[] {
  if (process.platform === 'linux') return readdirSync('/proc').filter(isNumber).flatMap(readStat)
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid=,pgid='], { encoding: 'utf8' })
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([pid = 0, parent = 0, group = 0]) => ({ pid, parent, group }))
}

function readStat(pid: string): Process[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold anything; the fields are counted from its end.
    const [, parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return [{ pid: Number(pid), parent: Number(parent), group: Number(group) }]
  } catch {
    return [] // it ended meanwhile
  }
}

function isNumber(name: string): boolean {
  return /^\d+$/.test(name)
}

function pidOf({ pid }: Process): number {
  return pid
}
