import pg from 'pg'
import type { Database, TransactionMode } from '../../src/database/database.ts'
import type { NamedQuery, Tx } from '../../src/database/statement.ts'
import type { TestDatabase } from '../support/database.ts'

export type SimulationDatabase = Awaited<ReturnType<typeof prepareDatabase>>

/**
 * now() of all SQL, and clock_timestamp(), become the virtual time of the session: functions of those names in a schema
 * that is searched before pg_catalog. Column defaults were bound to the real one when the tables were made, and are bound anew.
 */
const virtualTime = `
  create schema simulation;
  create function simulation.now() returns timestamptz language sql stable
    return current_setting('simulation.now')::timestamptz;
  create function simulation.clock_timestamp() returns timestamptz language sql volatile
    return simulation.now();
  do $$
  declare d record;
  begin
    for d in
      select adrelid::regclass as relation, attname
      from pg_attrdef join pg_attribute on (attrelid, attnum) = (adrelid, adnum)
      where pg_get_expr(adbin, adrelid) = 'now()'
    loop
      execute format('alter table %s alter %I set default simulation.now()', d.relation, d.attname);
    end loop;
    execute format('alter database %I set search_path = simulation, public, pg_catalog', current_database());
    -- What a crash of the server would lose is of no interest here.
    execute format('alter database %I set synchronous_commit = off', current_database());
  end $$`

/** Append-only triggers refuse a truncate, but not in a session that replays what another server has done. */
const emptyAllTables = `
  set session_replication_role = replica;
  do $$
  begin
    execute (
      select format('truncate %s restart identity', string_agg(oid::regclass::text, ', '))
      from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace and relname <> 'migration');
  end $$;
  set session_replication_role = origin`

/**
 * A database whose time is virtual, for one run after the other. All go through one connection, on which a statement
 * follows the setting of its time without waiting for the answer to that: the ways back and forth are what takes most
 * of a run.
 */
export async function prepareDatabase({ url, sql }: Pick<TestDatabase, 'url' | 'sql'>) {
  await sql(virtualTime)
  const types = new pg.TypeOverrides()
  types.setTypeParser(20, 'text', BigInt)
  const client = new pg.Client({ connectionString: url, types, pipeline: true })
  await client.connect()
  let clock = { nowMs: 0 }
  let statements = 0

  /** Each statement has a time of its own, some microseconds after the one before: in reality no two are at once. */
  function setTime(): Promise<unknown> {
    statements += 1
    const microseconds = (statements % 1000).toString().padStart(3, '0')
    const time = new Date(clock.nowMs).toISOString().replace('Z', `${microseconds}Z`)
    return client.query({
      name: 'set-time',
      text: `select set_config('simulation.now', $1, false)`,
      values: [time]
    })
  }

  const database: Database = {
    async query(query: NamedQuery): Promise<{ rows: pg.QueryResultRow[] }> {
      const [, result] = await Promise.all([setTime(), client.query(query)])
      return result
    },
    async transaction<T>(work: (tx: Tx) => Promise<T>, mode: TransactionMode = '') {
      await Promise.all([setTime(), client.query(`begin ${mode}`)])
      try {
        const result = await work({ query: (query) => client.query(query) })
        await client.query('commit')
        return result
      } catch (error) {
        await client.query('rollback')
        throw error
      }
    },
    // One connection, that of the owner: who may see what is tested elsewhere.
    forOrganization: () => database,
    statementCount: 0,
    close: () => client.end()
  }
  return {
    ...database,
    /** Everything that is stored goes; from now on it is what this clock says. */
    async empty(nextClock: { nowMs: number }) {
      clock = nextClock
      statements = 0
      await sql(emptyAllTables)
    }
  }
}
