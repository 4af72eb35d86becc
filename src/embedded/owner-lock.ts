import { randomBytes } from 'node:crypto'
import { constants, copyFileSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { EmbeddedPostgresError } from './embedded-error.ts'
import { processIdentity } from './process-identity.ts'

export interface OwnerLock {
  release(): void
}

/** Makes this process the one owner of the folder until release or death, or refuses naming the live owner. */
export function acquireOwnerLock(path: string): OwnerLock {
  const nonce = randomBytes(6).toString('hex')
  const mine = `${path}.${nonce}`
  const content = JSON.stringify({ pid: process.pid, identity: processIdentity(process.pid), nonce })
  // The lock is a second name of a finished file, so nobody ever reads a half-written one.
  writeFileSync(mine, content, { flag: 'wx' })
  try {
    // Every round ends in the lock, in a refusal, or in a dead owner's file being gone.
    while (!linkUnlessTaken(mine, path) && !replaceDeadOwner(mine, path));
  } finally {
    rmSync(mine, { force: true })
  }
  return {
    release: () => {
      if (readOwner(path)?.text === content) rmSync(path, { force: true })
    }
  }
}

function replaceDeadOwner(mine: string, path: string): boolean {
  const owner = readOwner(path)
  if (owner === undefined) return false
  if (owner.alive) throw alreadyRunning(owner.pid, path)
  // Without this second lock, two newcomers that both saw the dead owner could each delete the other's lock.
  const takeover = `${path}.takeover`
  if (!linkUnlessTaken(mine, takeover)) {
    if (readOwner(takeover)?.alive === false) rmSync(takeover, { force: true })
    return false
  }
  try {
    if (readOwner(path)?.text !== owner.text) return false
    renameSync(mine, path)
    return true
  } finally {
    rmSync(takeover, { force: true })
  }
}

function linkUnlessTaken(mine: string, path: string): boolean {
  try {
    linkSync(mine, path)
    return true
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EEXIST') return false
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code ?? '')) throw error
    return copyUnlessTaken(mine, path)
  }
}

/** For file systems without hard links (exFAT, some shared folders). */
function copyUnlessTaken(mine: string, path: string): boolean {
  try {
    copyFileSync(mine, path, constants.COPYFILE_EXCL)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function readOwner(path: string): { text: string; pid: number; alive: boolean } | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const { pid, identity } = parseOwner(text)
  return { text, pid, alive: identity !== undefined && processIdentity(pid) === identity }
}

/** An unreadable lock (a power cut before its bytes reached the disk) has no live owner. */
function parseOwner(text: string): { pid: number; identity: string | undefined } {
  try {
    const owner = JSON.parse(text) as { pid?: unknown; identity?: unknown } | null
    if (typeof owner?.pid === 'number' && typeof owner.identity === 'string') {
      return { pid: owner.pid, identity: owner.identity }
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  return { pid: 0, identity: undefined }
}

function alreadyRunning(pid: number, path: string): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    'already-running',
    `Another Bulkhead (process ${pid}) is using the database in ${dirname(path)}. Stop that one first, ` +
      'or set DATA_DIR to another folder for this one.'
  )
}
