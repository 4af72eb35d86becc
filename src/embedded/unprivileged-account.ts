import { execFile } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { promisify } from 'node:util'
import { EmbeddedPostgresError } from './embedded-error.ts'

export interface Account {
  uid: number
  gid: number
}

export interface AccountSources {
  readPasswords(): string
  createAccount(): Promise<void>
}

const system: AccountSources = {
  readPasswords: () => readFileSync('/etc/passwd', 'utf8'),
  createAccount: async () => {
    await promisify(execFile)('useradd', ['--system', '--no-create-home', '--user-group', 'bulkhead'])
  }
}

/** Names the account that runs PostgreSQL when we are root: the cluster's owner, else one of the system's. */
export async function chooseAccount(cluster: string, sources: AccountSources = system): Promise<Account> {
  const owner = statSync(cluster, { throwIfNoEntry: false })
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  const known = findAccount(sources, 'postgres') ?? findAccount(sources, 'bulkhead')
  if (known !== undefined) return known
  // useradd is missing in slim images and fails on a read-only system; "nobody" is the answer to both.
  const failure = await sources.createAccount().then(
    () => undefined,
    (error: unknown) => error
  )
  const account = findAccount(sources, 'bulkhead') ?? findAccount(sources, 'nobody')
  if (account !== undefined) return account
  throw new EmbeddedPostgresError(
    'no-unprivileged-user',
    'PostgreSQL refuses to run as root, and this machine has no user for it: there is no "postgres" or "nobody" ' +
      'in /etc/passwd and useradd could not make one. Run Bulkhead as an ordinary user, make one with ' +
      '"useradd --system bulkhead", or set DATABASE_URL.',
    { cause: failure }
  )
}

function findAccount(sources: AccountSources, wanted: string): Account | undefined {
  for (const line of sources.readPasswords().split('\n')) {
    const [name, , uid, gid] = line.split(':')
    if (name === wanted && uid !== undefined && gid !== undefined && Number(uid) !== 0) {
      return { uid: Number(uid), gid: Number(gid) }
    }
  }
  return undefined
}
