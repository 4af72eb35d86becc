import pg from 'pg'
import type { QueryResultRow } from 'pg'
import type { NamedQuery, Tx } from './statement.ts'

/** A pool of connections. As a Tx, each statement is a transaction of its own. */
export interface Database extends Tx {
  transaction<T>(work: (tx: Tx) => Promise<T>, mode?: TransactionMode): Promise<T>
  /** Statements sent since the start: a counter for the budgets. */
  readonly statementCount: number
  close(): Promise<void>
}
export type TransactionMode = '' | 'isolation level repeatable read read only'

export interface DatabaseOptions {
  url: string
  maxConnections: number
  applicationName: string
  onIdleError?: (error: Error) => void
  /** How long the server may be silent; unset: for ever, for statements that lift the server's own limit. */
  answerTimeoutMs?: number
}

/** Longer than the server lets a statement run, so that it comes only when the server, or the way to it, is silent. */
export const answerTimeoutMs = 35_000

/** Opens a pool whose statements are cut off by the server after 30 s; a connection that failed is never reused. */
export function openDatabase(options: DatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.maxConnections,
    application_name: options.applicationName,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 30_000,
    idle_in_transaction_session_timeout: 30_000,
    // A way that swallows everything (a firewall that has forgotten the connection) is no error to TCP for minutes or
    // hours, in which each request and each worker lane would wait.
    ...(options.answerTimeoutMs === undefined ? {} : { query_timeout: options.answerTimeoutMs }),
    types: bigintTypes()
  })
  pool.on('error', options.onIdleError ?? (() => undefined))
  let statementCount = 0

  const run = (client: pg.Pool | pg.PoolClient, query: NamedQuery): Promise<{ rows: QueryResultRow[] }> => {
    statementCount += 1
    return client.query(query)
  }

  return {
    query: (query) => run(pool, query),
    async transaction(work, mode = '') {
      const client = await pool.connect()
      let broken: Error | undefined
      try {
        await client.query(`begin ${mode}`)
        const result = await work({ query: (query) => run(client, query) })
        await client.query('commit')
        return result
      } catch (cause) {
        // A connection whose rollback fails is in an unknown state: it is destroyed, not given back.
        await client.query('rollback').catch((error: unknown) => (broken = error as Error))
        throw cause
      } finally {
        client.release(broken)
      }
    },
    get statementCount() {
      return statementCount
    },
    close: () => pool.end()
  }
}

/** Amounts are int8 and must arrive as bigint; pg's own default for int8 is a string. */
function bigintTypes(): pg.TypeOverrides {
  const types = new pg.TypeOverrides()
  types.setTypeParser(20, 'text', BigInt)
  return types
}
