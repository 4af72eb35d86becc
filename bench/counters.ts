import type { System } from './system.ts'

/** What the database did: counters that do not depend on who else uses the machine. */
export interface Counters {
  fsyncs: number
  wal_bytes: number
  dead_tuples: number
}

/** Reads the counters of the whole server; nobody else may be using it. */
export async function readCounters({ sql, context }: System): Promise<Counters> {
  await flushStatistics(context)
  const [version] = await sql<{ number: number }>(
    `select current_setting('server_version_num')::int as number`
  )
  // PostgreSQL 18 counts flushes of the log in pg_stat_io, earlier ones in pg_stat_wal.
  const fsyncs =
    (version?.number ?? 0) >= 180_000
      ? `select sum(fsyncs)::int8 as count from pg_stat_io where object = 'wal'`
      : `select wal_sync::int8 as count from pg_stat_wal`
  const [flushes] = await sql<{ count: string }>(fsyncs)
  const [wal] = await sql<{ bytes: string }>(`select (pg_current_wal_insert_lsn() - '0/0')::int8 as bytes`)
  // Every update and delete makes one dead tuple, vacuumed since or not.
  const [dead] = await sql<{ count: string }>(
    'select sum(n_tup_upd + n_tup_del)::int8 as count from pg_stat_user_tables'
  )
  return {
    fsyncs: Number(flushes?.count ?? 0),
    wal_bytes: Number(wal?.bytes ?? 0),
    dead_tuples: Number(dead?.count ?? 0)
  }
}

/** Sessions keep what they counted for a while; each of the pool is made to hand it over. */
async function flushStatistics({ db, settings }: System['context']): Promise<void> {
  const text = 'select pg_stat_force_next_flush(), pg_sleep(0.05)'
  const sessions = Array.from({ length: settings.DATABASE_CONNECTIONS })
  await Promise.all(sessions.map(() => db.query({ name: 'flush-statistics', text, values: [] })))
}

/** What was counted between two readings, per transfer. */
export function perTransfer(before: Counters, after: Counters, transfers: number): Counters {
  return {
    fsyncs: (after.fsyncs - before.fsyncs) / transfers,
    wal_bytes: (after.wal_bytes - before.wal_bytes) / transfers,
    dead_tuples: (after.dead_tuples - before.dead_tuples) / transfers
  }
}
