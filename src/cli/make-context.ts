import { randomBytes } from 'node:crypto'
import { createHttpBank } from '../banking/http-bank.ts'
import { createHttpPayeeCheck } from '../banking/http-payee-check.ts'
import type { PayeeCheck } from '../banking/payee-check.ts'
import { createPostgresBroker } from '../broker/postgres-broker.ts'
import { createRabbitmqBroker } from '../broker/rabbitmq-broker.ts'
import { ownOrigin, systemClock, type Context } from '../context.ts'
import { measureBank } from '../banking/measured-bank.ts'
import { answerTimeoutMs, openDatabase, type DatabaseObserver } from '../database/database.ts'
import { createGuardedPost } from '../outgoing/guarded-post.ts'
import { receiverPolicy } from '../outgoing/outgoing.ts'
import type { Settings } from '../settings.ts'
import type { Log } from '../telemetry/log.ts'
import { createMeasurements, type Measurements } from '../telemetry/measurements.ts'
import { createOutageLog } from '../telemetry/outage-log.ts'

/** The real world: a database, a bank and a broker that are really there, the system's clock and chance. */
export function makeContext(
  settings: Settings,
  log: Log,
  where: { databaseUrl: string; bankUrl: string }
): Context {
  const measurements = createMeasurements()
  const db = openDatabase({
    url: where.databaseUrl,
    role: 'bulkhead_worker',
    ...shareConnections(settings),
    applicationName: `bulkhead-${settings.ROLE}`,
    answerTimeoutMs,
    observer: observeDatabase(measurements, log)
  })
  return {
    settings,
    db,
    bank: measureBank(
      createHttpBank({
        url: where.bankUrl,
        connections: settings.BANK_CONNECTIONS,
        timeout_ms: settings.BANK_TIMEOUT_MS,
        settlement_window_ms: settings.BANK_SETTLEMENT_WINDOW_MS
      }),
      measurements,
      log
    ),
    payeeCheck: openPayeeCheck(settings, where.bankUrl),
    broker:
      settings.BROKER_URL === undefined
        ? createPostgresBroker(db, where.databaseUrl, log)
        : createRabbitmqBroker(settings.BROKER_URL, log),
    outgoing: createGuardedPost({
      policy: receiverPolicy(settings),
      timeout_ms: settings.WEBHOOK_TIMEOUT_MS
    }),
    log,
    measurements,
    clock: systemClock,
    random: { fraction: () => Math.random(), bytes: (count) => randomBytes(count) },
    origin: ownOrigin
  }
}

/** The sandbox bank verifies payees as well; whether a bank of one's own does, and where, has to be said. */
function openPayeeCheck({ PAYEE_CHECK_URL, BANK_URL }: Settings, bankUrl: string): PayeeCheck | null {
  const url = PAYEE_CHECK_URL ?? (BANK_URL === undefined ? bankUrl : null)
  // A bulk of 1000 is ten calls at once.
  return url === null ? null : createHttpPayeeCheck({ url, connections: 20 })
}

/** A worker acts for every organization; an API for one after the other, but for the bank's callbacks and measurements. */
function shareConnections({ ROLE, DATABASE_CONNECTIONS: all }: Settings) {
  const forOrganizations = ROLE === 'worker' ? 1 : Math.floor(all / 2)
  return {
    maxConnections: ROLE === 'worker' ? all : all - forOrganizations,
    maxOrganizationConnections: forOrganizations
  }
}

/** Counts and times statements, and logs an outage once. */
function observeDatabase(measurements: Measurements, log: Log): DatabaseObserver {
  const outage = createOutageLog(log, 'the database')
  return {
    onEnd(result, seconds, error) {
      measurements.statements.observe({ result }, seconds)
      if (result === 'unavailable') outage.failed(error)
      else outage.wentWell()
    },
    onIdleError: (error) => outage.failed(error),
    onOpen: (look) => (measurements.watched.connections = look)
  }
}

/** Closes what makeContext opened. */
export async function closeContext(context: Context): Promise<void> {
  await context.broker.close()
  await context.bank.close()
  await context.payeeCheck?.close()
  await context.db.close()
}
