import { randomBytes } from 'node:crypto'
import { createHttpBank } from '../banking/http-bank.ts'
import { createPostgresBroker } from '../broker/postgres-broker.ts'
import { createRabbitmqBroker } from '../broker/rabbitmq-broker.ts'
import { systemClock, type Context } from '../context.ts'
import { answerTimeoutMs, openDatabase } from '../database/database.ts'
import type { Settings } from '../settings.ts'
import type { Log } from '../telemetry/log.ts'

/** The real world: a database, a bank and a broker that are really there, the system's clock and chance. */
export function makeContext(
  settings: Settings,
  log: Log,
  where: { databaseUrl: string; bankUrl: string }
): Context {
  const db = openDatabase({
    url: where.databaseUrl,
    maxConnections: settings.DATABASE_CONNECTIONS,
    applicationName: `bulkhead-${settings.ROLE}`,
    answerTimeoutMs,
    onIdleError: (error) => log.warn({ err: error }, 'an idle database connection was lost')
  })
  return {
    settings,
    db,
    bank: createHttpBank({
      url: where.bankUrl,
      connections: settings.BANK_CONNECTIONS,
      timeout_ms: settings.BANK_TIMEOUT_MS,
      settlement_window_ms: settings.BANK_SETTLEMENT_WINDOW_MS
    }),
    broker:
      settings.BROKER_URL === undefined
        ? createPostgresBroker(db, where.databaseUrl, log)
        : createRabbitmqBroker(settings.BROKER_URL, log),
    log,
    clock: systemClock,
    random: { fraction: () => Math.random(), bytes: (count) => randomBytes(count) }
  }
}

/** Closes what makeContext opened. */
export async function closeContext(context: Context): Promise<void> {
  await context.broker.close()
  await context.bank.close()
  await context.db.close()
}
