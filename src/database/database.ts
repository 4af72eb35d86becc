import pg from 'pg'
import type { QueryResultRow } from 'pg'
import { isUnavailable, noTurn } from './errors.ts'
import type { NamedQuery, Tx } from './statement.ts'

/** A pool of connections. As a Tx, each statement is a transaction of its own. */
export interface Database extends Tx {
  transaction<T>(work: (tx: Tx) => Promise<T>, mode?: TransactionMode): Promise<T>
  /**
   * The same database as one organization may see and change it: PostgreSQL hides every other's rows. It has at most half
   * of the connections that there are for organizations (one, if there is only one), so that what it does at one time
   * keeps no other waiting.
   */
  forOrganization(organizationId: number): Database
  /** Statements sent since the start: a counter for the budgets. */
  readonly statementCount: number
  close(): Promise<void>
}
export type TransactionMode = '' | 'isolation level repeatable read read only'

export interface DatabaseOptions {
  url: string
  maxConnections: number
  applicationName: string
  /** The role that connections take; none: that of the login, which owns the tables. */
  role?: 'bulkhead_worker'
  /** Most connections that act for an organization; as many as the others if it is not said. */
  maxOrganizationConnections?: number
  observer?: DatabaseObserver
  /** How long a statement waits for its organization's turn, and then for a connection; 5 s if it is not said. */
  connectionTimeoutMs?: number
  /** How long the server may be silent; unset: for ever, for statements that lift the server's own limit. */
  answerTimeoutMs?: number
}

/** Is told how it goes, to count and to log it. */
export interface DatabaseObserver {
  /** A statement, or the wait for a connection, ended so after some seconds. */
  onEnd: (result: 'ok' | 'refused' | 'unavailable', seconds: number, error?: unknown) => void
  /** A connection was lost while nobody used it. */
  onIdleError: (error: Error) => void
  /** The pools can be looked at. */
  onOpen: (look: () => { total: number; idle: number; waiting: number }) => void
}

/** Longer than the server lets a statement run, so that it comes only when the server, or the way to it, is silent. */
export const answerTimeoutMs = 35_000

const defaultConnectionTimeoutMs = 5_000

/**
 * Opens a pool whose statements are cut off by the server after 30 s; a connection that failed is never reused. What
 * is done for an organization has a pool of its own, under a role that row-level security holds to.
 */
export function openDatabase(options: DatabaseOptions): Database {
  const watch: Watch = { statements: 0, observer: options.observer }
  const own = openPool(options, options)
  const forOrganizations = options.maxOrganizationConnections ?? options.maxConnections
  const restricted = openPool(options, { role: 'bulkhead_api', maxConnections: forOrganizations })
  const shares = createShares(Math.max(1, Math.floor(forOrganizations / 2)), options)
  options.observer?.onOpen(() => ({
    total: own.totalCount + restricted.totalCount,
    idle: own.idleCount + restricted.idleCount,
    waiting: own.waitingCount + restricted.waitingCount + shares.waiting()
  }))
  const database = (lend: Lend): Database => ({
    query: (query) => lend((client) => run(client, query, watch)),
    transaction: (work, mode = '') => lend((client) => transact({ client, watch, mode }, work)),
    forOrganization: (organizationId) => {
      const lend = actingFor(restricted, organizationId, watch)
      return database((work) => shares.take(organizationId, () => lend(work)))
    },
    get statementCount() {
      return watch.statements
    },
    close: async () => {
      await Promise.all([own.end(), restricted.end()])
    }
  })
  return database((work) => borrow(own, watch, work))
}

/** Lends a connection for some work. */
type Lend = <T>(work: (client: pg.PoolClient) => Promise<T>) => Promise<T>

/** What is counted and told of the statements of a database. */
interface Watch {
  statements: number
  observer: DatabaseObserver | undefined
}

function openPool(
  options: DatabaseOptions,
  { role, maxConnections }: { role?: string; maxConnections: number }
): pg.Pool {
  const pool = new pg.Pool({
    ...withRole(options.url, role),
    max: maxConnections,
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectionTimeoutMs ?? defaultConnectionTimeoutMs,
    // Longer than the driver's 10 s: opening one took 140 ms under load, and it begins with no statement prepared. Shorter
    // than the four minutes after which the first load balancers forget a quiet connection.
    idleTimeoutMillis: 180_000,
    statement_timeout: 30_000,
    idle_in_transaction_session_timeout: 30_000,
    // A way that swallows everything (a firewall that has forgotten the connection) is no error to TCP for minutes or
    // hours, in which each request and each worker lane would wait.
    ...(options.answerTimeoutMs === undefined ? {} : { query_timeout: options.answerTimeoutMs }),
    types: bigintTypes()
  })
  pool.on('error', (error) => options.observer?.onIdleError(error))
  return pool
}

/** Options in the address would win over those beside it, and the role would be lost. */
function withRole(address: string, role: string | undefined) {
  const url = new URL(address)
  const options = [url.searchParams.get('options'), role === undefined ? null : `-c role=${role}`]
  url.searchParams.delete('options')
  return { connectionString: url.href, options: options.filter((option) => option !== null).join(' ') }
}

/** Connections that failed otherwise than by an answer of the server: they may be in any state, and are closed. */
const broken = new WeakSet<pg.PoolClient>()

async function borrow<T>(
  pool: pg.Pool,
  { observer }: Watch,
  work: (client: pg.PoolClient) => Promise<T>
): Promise<T> {
  const client = await observed(observer, () => pool.connect(), 'failures')
  // A connection that is lost between two statements tells nobody else, and would end the process.
  const lost = (): void => void broken.add(client)
  client.on('error', lost)
  try {
    return await work(client)
  } finally {
    client.off('error', lost)
    client.release(broken.has(client))
  }
}

async function send(client: pg.PoolClient, query: string | NamedQuery): Promise<{ rows: QueryResultRow[] }> {
  try {
    return await client.query(query)
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) broken.add(client)
    throw error
  }
}

/** For whom a connection acts, so that it is told only when that changes: most requests cost no statement more. */
const organizationOf = new WeakMap<pg.PoolClient, number>()

function actingFor(pool: pg.Pool, organizationId: number, watch: Watch): Lend {
  const actFor = {
    name: 'act-for-organization',
    text: `select set_config('bulkhead.organization_id', $1, false)`,
    values: [String(organizationId)]
  }
  return (work) =>
    borrow(pool, watch, async (client) => {
      if (organizationOf.get(client) !== organizationId) {
        await run(client, actFor, watch)
        organizationOf.set(client, organizationId)
      }
      return work(client)
    })
}

/**
 * Lets a few of each organization work at one time, and the others in the order in which they came, or not at all if
 * none of them ends in time: submissions that all wait for one account would else hold every connection there is.
 */
function createShares(most: number, options: DatabaseOptions) {
  const lines = new Map<number, { inside: number; waiting: (() => void)[] }>()
  const timeoutMs = options.connectionTimeoutMs ?? defaultConnectionTimeoutMs
  return {
    waiting: () => lines.values().reduce((sum, line) => sum + line.waiting.length, 0),
    async take<T>(organizationId: number, work: () => Promise<T>): Promise<T> {
      const line = lines.get(organizationId) ?? { inside: 0, waiting: [] }
      lines.set(organizationId, line)
      if (line.inside < most) line.inside += 1
      else await waitIn(line.waiting, timeoutMs)
      try {
        return await work()
      } finally {
        const next = line.waiting.shift()
        if (next) next()
        else line.inside -= 1
        if (line.inside === 0) lines.delete(organizationId)
      }
    }
  }
}

function waitIn(waiting: (() => void)[], timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const enter = (): void => {
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(() => {
      waiting.splice(waiting.indexOf(enter), 1)
      reject(new Error(noTurn))
    }, timeoutMs)
    waiting.push(enter)
  })
}

function run(client: pg.PoolClient, query: NamedQuery, watch: Watch): Promise<{ rows: QueryResultRow[] }> {
  watch.statements += 1
  return observed(watch.observer, () => send(client, query))
}

/** Tells the observer how a call ended; of a connection only that there was none, since a statement follows. */
async function observed<T>(
  observer: DatabaseObserver | undefined,
  call: () => Promise<T>,
  told: 'every end' | 'failures' = 'every end'
): Promise<T> {
  if (observer === undefined) return call()
  const startedAt = performance.now()
  const seconds = () => (performance.now() - startedAt) / 1000
  try {
    const result = await call()
    if (told === 'every end') observer.onEnd('ok', seconds())
    return result
  } catch (error) {
    observer.onEnd(isUnavailable(error) ? 'unavailable' : 'refused', seconds(), error)
    throw error
  }
}

async function transact<T>(
  { client, watch, mode }: { client: pg.PoolClient; watch: Watch; mode: TransactionMode },
  work: (tx: Tx) => Promise<T>
): Promise<T> {
  await send(client, `begin ${mode}`)
  try {
    const result = await work({ query: (query) => run(client, query, watch) })
    await send(client, 'commit')
    return result
  } catch (error) {
    // What fails here has been noted as broken; the first error is the one to tell.
    await send(client, 'rollback').catch(() => undefined)
    throw error
  }
}

/** Amounts are int8 and must arrive as bigint; pg's own default for int8 is a string. */
function bigintTypes(): pg.TypeOverrides {
  const types = new pg.TypeOverrides()
  types.setTypeParser(20, 'text', BigInt)
  return types
}
