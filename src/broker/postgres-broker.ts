import pg from 'pg'
import type { Log } from '../telemetry/log.ts'
import type { Tx } from '../database/statement.ts'
import { statement } from '../database/statement.ts'
import type { Broker } from './broker.ts'

/**
 * One NOTIFY per bulk, after the commit of the bulk. Never within it: every NOTIFY takes one lock of the whole
 * cluster at commit, which halves the rate of commits when it is part of each.
 * And its own commit need not wait for the disk: a hint that a crash swallows costs a poll.
 */
const notifyWork = statement(
  'notify-work',
  { payload: 'text' },
  { notified: 'text?' },
  `select pg_notify('bulkhead_work', :payload)::text as notified
   from set_config('synchronous_commit', 'off', true)`
)

/** Hints by LISTEN and NOTIFY, on one connection for all listeners: nothing to run beside PostgreSQL. */
export function createPostgresBroker(tx: Tx, databaseUrl: string, log: Log): Broker {
  const listeners = new Set<() => void>()
  let client: pg.Client | undefined
  let closed = false
  let reconnect: NodeJS.Timeout | undefined

  const tellAll = (): void => {
    for (const listener of listeners) listener()
  }

  async function connect(): Promise<void> {
    const next = new pg.Client({
      connectionString: databaseUrl,
      application_name: 'bulkhead-listen',
      keepAlive: true
    })
    client = next
    next.on('notification', tellAll)
    // What broke the connection is followed by its end, where it is dealt with.
    next.on('error', () => undefined)
    next.once('end', () => {
      if (closed || client !== next) return
      log.warn('the connection that listens for work is lost; connecting again')
      connectLater()
    })
    await next.connect()
    await next.query('listen bulkhead_work')
    // Hints of the time without a connection are lost, so there may be work.
    tellAll()
  }

  function connectLater(): void {
    clearTimeout(reconnect)
    client = undefined
    reconnect = setTimeout(() => {
      connect().catch(() => {
        if (closed) return
        void client?.end().catch(() => undefined)
        connectLater()
      })
    }, 1_000)
  }

  return {
    async announce(hint) {
      await notifyWork(tx, { payload: JSON.stringify(hint) })
    },
    async listen(listener) {
      listeners.add(listener)
      if (client === undefined && reconnect === undefined) await connect()
    },
    async close() {
      closed = true
      clearTimeout(reconnect)
      await client?.end()
    }
  }
}
