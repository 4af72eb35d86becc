import pg from 'pg'
import type { Log } from '../telemetry/log.ts'
import type { Tx } from '../database/statement.ts'
import { statement } from '../database/statement.ts'
import type { Broker } from './broker.ts'

/**
 * One NOTIFY per bulk, after the commit of the bulk. Never within it: every NOTIFY takes one lock of the whole
 * cluster at commit, which halves the rate of commits when it is part of each.
 */
const notifyWork = statement(
  'notify-work',
  { payload: 'text' },
  { notified: 'text?' },
  `select pg_notify('bulkhead_work', :payload)::text as notified`
)

/** Hints by LISTEN and NOTIFY: nothing to run beside PostgreSQL. */
export function createPostgresBroker(tx: Tx, databaseUrl: string, log: Log): Broker {
  let client: pg.Client | undefined
  let closed = false
  let reconnect: NodeJS.Timeout | undefined

  async function connect(listener: () => void): Promise<void> {
    const next = new pg.Client({
      connectionString: databaseUrl,
      application_name: 'bulkhead-listen',
      keepAlive: true
    })
    next.on('notification', listener)
    next.once('error', () => undefined)
    next.once('end', () => {
      if (closed || client !== next) return
      log.warn('the connection that listens for work is lost; connecting again')
      retry(listener)
    })
    await next.connect()
    client = next
    await next.query('listen bulkhead_work')
  }

  function retry(listener: () => void): void {
    reconnect = setTimeout(() => {
      connect(listener).then(listener, () => {
        if (!closed) retry(listener)
      })
    }, 1_000)
  }

  return {
    async announce(hint) {
      await notifyWork(tx, { payload: JSON.stringify(hint) })
    },
    listen: connect,
    async close() {
      closed = true
      clearTimeout(reconnect)
      await client?.end()
    }
  }
}
