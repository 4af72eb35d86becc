import type { TransactionMode } from '../../src/database/database.ts'
import type { NamedQuery, Tx } from '../../src/database/statement.ts'
import type { openTestDatabase } from '../support/database.ts'

export type SimulationDatabase = Awaited<ReturnType<typeof prepareDatabase>>

/**
 * now() of all SQL becomes the virtual time of the session: a function of that name in a schema that is searched
 * before pg_catalog. Column defaults were bound to the real one when the tables were made, and are bound anew.
 */
const virtualTime = `
  create schema simulation;
  create function simulation.now() returns timestamptz language sql stable
    return current_setting('simulation.now')::timestamptz;
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
  truncate organization, account, posting, bulk, transfer, outcome, attempt, chunk, transfer_return, transfer_retry,
    notice, incident, statement_entry, job restart identity;
  set session_replication_role = origin`

/** A database whose time is virtual, for one run after the other. All go through one connection. */
export async function prepareDatabase({
  db,
  sql
}: Pick<Awaited<ReturnType<typeof openTestDatabase>>, 'db' | 'sql'>) {
  await sql(virtualTime)
  let clock = { nowMs: 0 }
  let statements = 0

  /** Each statement has a time of its own, some microseconds after the one before: in reality no two are at once. */
  async function setTime(): Promise<void> {
    statements += 1
    const microseconds = (statements % 1000).toString().padStart(3, '0')
    const time = new Date(clock.nowMs).toISOString().replace('Z', `${microseconds}Z`)
    await db.query({
      name: 'set-time',
      text: `select set_config('simulation.now', $1, false)`,
      values: [time]
    })
  }

  return {
    async query(query: NamedQuery) {
      await setTime()
      return db.query(query)
    },
    async transaction<T>(work: (tx: Tx) => Promise<T>, mode?: TransactionMode) {
      await setTime()
      return db.transaction(work, mode)
    },
    /** Everything that is stored goes; from now on it is what this clock says. */
    async empty(nextClock: { nowMs: number }) {
      clock = nextClock
      statements = 0
      await sql(emptyAllTables)
    },
    statementCount: 0,
    close: () => Promise.resolve()
  }
}
