import { existsSync } from 'node:fs'
import path from 'node:path'
import { createHttpBank } from '../banking/http-bank.ts'
import { probeRabbitmq } from '../broker/rabbitmq-broker.ts'
import { openDatabase, type Database } from '../database/database.ts'
import { findMissingMigrations } from '../database/migrate.ts'
import * as diagnosis from '../monitoring/diagnosis.ts'
import { finding, type Finding } from '../monitoring/diagnosis.ts'
import { readSettings, type Settings } from '../settings.ts'
import { ownEnvironment } from './load-settings.ts'
import { explain } from './migrate.ts'
import { borrowDatabase } from './open-database.ts'
import { UsageError } from './usage-error.ts'

/** Examines everything that Bulkhead needs and prints what is wrong and what to do; the exit code is 1 if anything is. */
export async function doctorCommand({ json = false }: { json?: boolean }): Promise<void> {
  const findings = await examine(ownEnvironment())
  const healthy = findings.every(({ ok }) => ok)
  const text = json ? `${JSON.stringify({ healthy, findings }, null, 2)}\n` : describe(findings, healthy)
  process.stdout.write(text)
  if (!healthy) process.exitCode = 1
}

/** Everything that can be said of the installation that these environment variables describe. */
export async function examine(environment: Record<string, string | undefined>): Promise<Finding[]> {
  const read = readSettings(environment)
  if (read.outcome === 'invalid')
    return [
      finding('configuration', false, {
        details: read.errors.join('; '),
        remedy: 'Correct these settings; docs/configuration.md explains each. Nothing else was examined.'
      })
    ]
  const { settings } = read
  return [
    finding('configuration', true, { details: 'every setting is valid', remedy: '' }),
    ...(await examineDatabase(settings)),
    ...(await examineBank(settings)),
    await examineBroker(settings)
  ]
}

async function examineDatabase(settings: Settings): Promise<Finding[]> {
  const unreachable = (details: string, remedy: string) => [finding('database', false, { details, remedy })]
  if (settings.DATABASE_URL === undefined && !existsSync(path.resolve(settings.DATA_DIR)))
    return unreachable(
      `there is no embedded database in ${settings.DATA_DIR}`,
      'npm start makes one; for production set DATABASE_URL.'
    )
  try {
    const server = await borrowDatabase(settings, () => undefined)
    const db = openDatabase({ url: server.url, maxConnections: 1, applicationName: 'bulkhead-doctor' })
    try {
      return await askDatabase(db, settings)
    } finally {
      await db.close()
      await server.stop()
    }
  } catch (error) {
    const remedy =
      error instanceof UsageError
        ? 'Do what it says, then look again.'
        : 'Start it, or correct DATABASE_URL (address, user, password, database).'
    return unreachable(`cannot be used: ${explain(error)}`, remedy)
  }
}

async function askDatabase(db: Database, settings: Settings): Promise<Finding[]> {
  const reached = finding('database', true, { details: 'answers', remedy: '' })
  const askedMs = Date.now()
  const [server] = await diagnosis.readServer(db, {})
  const answeredMs = Date.now()
  if (server === undefined) throw new Error('the database tells nothing of itself')
  const missing = await findMissingMigrations(db)
  return [
    reached,
    ...diagnosis.examineServer(server, settings),
    diagnosis.examineClock(askedMs, answeredMs, server.now),
    diagnosis.examineMigrations(missing),
    // Without its tables there are no books.
    ...(missing.length > 0 ? [] : [await diagnosis.examineBooks(db)])
  ]
}

async function examineBank(settings: Settings): Promise<Finding[]> {
  const url = settings.BANK_URL ?? `http://127.0.0.1:${settings.SANDBOX_BANK_PORT}`
  const bank = createHttpBank({
    url,
    connections: 1,
    timeout_ms: settings.BANK_TIMEOUT_MS,
    settlement_window_ms: settings.BANK_SETTLEMENT_WINDOW_MS
  })
  return diagnosis.examineBank(bank, new URL(url).origin).finally(() => bank.close())
}

async function examineBroker({ BROKER_URL }: Settings): Promise<Finding> {
  if (BROKER_URL === undefined)
    return finding('broker', true, { details: 'none: hints travel through PostgreSQL', remedy: '' })
  const where = new URL(BROKER_URL).host
  const failure = await probeRabbitmq(BROKER_URL).then(
    () => null,
    (error: unknown) => explain(error)
  )
  return finding('broker', failure === null, {
    details: failure === null ? `RabbitMQ at ${where} takes hints` : `${where} cannot be used: ${failure}`,
    remedy: 'Start RabbitMQ (3.10 or newer), or correct BROKER_URL (address, user, password, virtual host).'
  })
}

function describe(findings: Finding[], healthy: boolean): string {
  const lines = findings.flatMap((found) => [
    `${found.ok ? 'ok    ' : 'WRONG '} ${found.name}: ${found.details}`,
    ...(found.ok ? [] : [`       -> ${found.remedy}`])
  ])
  const wrong = findings.filter(({ ok }) => !ok).length
  return `${[...lines, healthy ? 'All is well.' : `${wrong} of ${findings.length} are wrong.`].join('\n')}\n`
}
