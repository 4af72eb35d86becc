import type { BankConnector } from '../banking/connector.ts'
import type { Tx } from '../database/statement.ts'
import { statement } from '../database/statement.ts'
import { findOrphanedReserves } from '../reconciliation/queries.ts'
import { listOpenIncidents } from '../incidents/incidents.ts'
import type { Settings } from '../settings.ts'

/** What was found of one thing that Bulkhead needs; what is not ok says what to do about it. */
export type Finding =
  { name: string; ok: true; details: string } | { name: string; ok: false; details: string; remedy: string }

const oldestVersion = 15
/** More than this between the clocks: signatures of callbacks (five minutes) and times in the log go wrong first. */
const longestClockDifferenceMs = 2_000
/** For a person with psql, the command verify, and the connection that listens for work. */
const spareConnections = 5

export const readServer = statement(
  'read-server',
  {},
  {
    version: 'text',
    version_num: 'int4',
    fsync: 'text',
    full_page_writes: 'text',
    synchronous_commit: 'text',
    standby: 'bool',
    max_connections: 'int4',
    used_connections: 'int4',
    now: 'timestamptz'
  },
  `select current_setting('server_version') as version, current_setting('server_version_num')::int4 as version_num,
          current_setting('fsync') as fsync, current_setting('full_page_writes') as full_page_writes,
          current_setting('synchronous_commit') as synchronous_commit, pg_is_in_recovery() as standby,
          current_setting('max_connections')::int4 - current_setting('superuser_reserved_connections')::int4
            as max_connections,
          (select count(*) from pg_stat_activity where backend_type = 'client backend')::int4 as used_connections,
          clock_timestamp() as now`
)
export type ServerState = Awaited<ReturnType<typeof readServer>>[number]

/** Whether the server is one that money may be kept on, and has room for this process. */
export function examineServer(server: ServerState, settings: Settings): Finding[] {
  const { version, version_num, standby, max_connections, used_connections } = server
  const free = max_connections - used_connections
  const needed = settings.DATABASE_CONNECTIONS + spareConnections
  return [
    finding('database version', version_num >= oldestVersion * 10_000 && !standby, {
      details: `PostgreSQL ${version}${standby ? ', a standby that takes no writes' : ''}`,
      remedy: standby
        ? 'Point DATABASE_URL at the primary server.'
        : `Upgrade PostgreSQL to ${oldestVersion} or newer.`
    }),
    examineDurability(server),
    finding('database connections', free >= needed, {
      details: `${used_connections} of ${max_connections} are used`,
      remedy: `This process opens up to ${settings.DATABASE_CONNECTIONS}, and ${spareConnections} should be spare: raise max_connections of the server, or lower DATABASE_CONNECTIONS of the processes.`
    })
  ]
}

function examineDurability({ fsync, full_page_writes, synchronous_commit }: ServerState): Finding {
  const wrong = Object.entries({ fsync, full_page_writes, synchronous_commit }).filter(
    ([, value]) => value === 'off'
  )
  return finding('database durability', wrong.length === 0, {
    details:
      wrong.length === 0
        ? 'what is committed survives a crash'
        : `${wrong.map(([name]) => `${name} is off`).join(', ')}: a crash can lose payments that the bank has executed`,
    remedy: `Set ${wrong.map(([name]) => `${name} = on`).join(', ')} (alter system, and pg_reload_conf(); look for alter role and alter database, too).`
  })
}

/** Compares this machine's clock, in the middle of the question, with the database's. */
export function examineClock(askedMs: number, answeredMs: number, databaseNow: Date): Finding {
  const differenceMs = (askedMs + answeredMs) / 2 - databaseNow.getTime()
  const seconds = (Math.abs(differenceMs) / 1000).toFixed(1)
  return finding('clock', Math.abs(differenceMs) <= longestClockDifferenceMs, {
    details: `${seconds} s ${differenceMs < 0 ? 'behind' : 'ahead of'} the database`,
    remedy:
      "Let both machines keep their time by NTP. Leases and due times are the database's; signatures of callbacks and the log are this machine's."
  })
}

/** Whether the schema is what this program needs. */
export function examineMigrations(missing: string[]): Finding {
  return finding('migrations', missing.length === 0, {
    details: missing.length === 0 ? 'all are done' : `missing: ${missing.join(', ')}`,
    remedy: 'Run the command migrate (node src/main.ts migrate).'
  })
}

/** Whether the bank can be reached, shows its statement, and can be asked again without paying twice. */
export async function examineBank(bank: BankConnector, url: string): Promise<Finding[]> {
  if (!(await bank.ping()))
    return [
      finding('bank', false, {
        details: `${url} does not answer`,
        remedy:
          'Check BANK_URL and the way to it (curl from this machine). The sandbox bank runs only while Bulkhead does: npm start.'
      })
    ]
  const { idempotent_submit, settlement_window_ms } = bank.abilities
  const page = await bank.readStatement(null)
  return [
    finding('bank', true, { details: `${url} answers`, remedy: '' }),
    finding('bank abilities', settlement_window_ms > 0, {
      details: `${idempotent_submit ? 'the same reference is never paid twice' : 'the same reference could be paid twice'}; settlement window ${settlement_window_ms} ms`,
      remedy:
        'Set BANK_SETTLEMENT_WINDOW_MS to what the bank says: what it does not know after that time counts as never received.'
    }),
    finding('bank statement', page.outcome === 'page', {
      details: page.outcome === 'page' ? 'is shown' : `is not shown: ${page.cause}`,
      remedy:
        'Ask the bank for access to the statement: without it nobody compares its books with ours (alert BulkheadStatementMissing).'
    })
  ]
}

const findBrokenLines = statement(
  'find-broken-lines',
  { limit: 'int4' },
  { organization_id: 'int4', account_id: 'int4' },
  `select a.organization_id, a.account_id from account a
   where a.kind = 'CUSTOMER' and a.posting_count <> coalesce((
     select line_no from posting p where (p.organization_id, p.account_id) = (a.organization_id, a.account_id)
     order by line_no desc limit 1), 0)
   limit :limit`
)

/** The quick form of verify: reserves, the last line of each account, and what is open already. Seconds, whatever is stored. */
export async function examineBooks(tx: Tx): Promise<Finding> {
  const reserves = await findOrphanedReserves(tx, { limit: 10 })
  const lines = await findBrokenLines(tx, { limit: 10 })
  // A receiver that wants no more is no fault of the books.
  const incidents = (await listOpenIncidents(tx, {})).filter(({ kind }) => kind !== 'webhook-disabled')
  const wrong = [
    ...reserves.map((row) => `account ${row.organization_id}/${row.account_id} reserves the wrong amount`),
    ...lines.map((row) => `account ${row.organization_id}/${row.account_id} lacks lines of its statement`),
    ...(incidents.length > 0 ? [`${incidents.length} open incidents`] : [])
  ]
  return finding('books', wrong.length === 0, {
    details: wrong.length === 0 ? 'reserves and statements are whole, no open incident' : wrong.join('; '),
    remedy:
      'See the commands incidents and verify, and docs/runbooks/BulkheadBalanceMismatch.md. Do not mend rows by hand.'
  })
}

/** A finding with what to do if it is not ok. */
export function finding(name: string, ok: boolean, say: { details: string; remedy: string }): Finding {
  return ok ? { name, ok, details: say.details } : { name, ok, ...say }
}
