import pg from 'pg'
import { isUnavailable } from '../database/errors.ts'
import { openDatabase } from '../database/database.ts'
import { findMissingMigrations, migrate } from '../database/migrate.ts'
import type { Settings } from '../settings.ts'
import { loadSettings } from './load-settings.ts'
import { UsageError } from './usage-error.ts'

/** Brings the schema of DATABASE_URL up to date, as a step of its own before a new version starts. */
export async function migrateCommand(): Promise<void> {
  const { DATABASE_URL } = loadSettings()
  if (DATABASE_URL === undefined)
    throw new UsageError('Set DATABASE_URL; the embedded database is migrated by npm start itself.')
  const done = await migrateOrExplain(DATABASE_URL)
  process.stdout.write(done.length === 0 ? 'Nothing to migrate.\n' : `Migrated: ${done.join(', ')}\n`)
}

/** Brings the schema up to date, or says in plain words why the database can't be used. */
function migrateOrExplain(databaseUrl: string): Promise<string[]> {
  return orExplain(databaseUrl, () => migrate(databaseUrl))
}

/** Migrates, or with MIGRATE_AT_START=false refuses to start on a schema that is not up to date, and says what to do. */
export async function bringSchemaUpToDate(
  databaseUrl: string,
  settings: Settings,
  tell: (message: string) => void
): Promise<void> {
  if (settings.MIGRATE_AT_START) {
    const done = await migrateOrExplain(databaseUrl)
    if (done.length > 0) tell(`Migrated the database: ${done.join(', ')}`)
    return
  }
  const missing = await orExplain(databaseUrl, () => listMissing(databaseUrl))
  if (missing.length > 0)
    throw new UsageError(
      `The database lacks ${missing.join(', ')}, and MIGRATE_AT_START is false: run the command migrate first (node src/main.ts migrate).`
    )
}

async function listMissing(databaseUrl: string): Promise<string[]> {
  const db = openDatabase({ url: databaseUrl, maxConnections: 1, applicationName: 'bulkhead-migrate' })
  return findMissingMigrations(db).finally(() => db.close())
}

async function orExplain<T>(databaseUrl: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isUnavailable(error) && !isWrongAddress(error)) throw error
    throw new UsageError(
      `The database at ${new URL(databaseUrl).host} can't be used: ${explain(error)}. Start it, or correct DATABASE_URL.`,
      { cause: error }
    )
  }
}

/** A wrong user or password (class 28), a database that is not there (3D000), no right to make tables (42501). */
function isWrongAddress(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^(28|3D000|42501)/.test(error.code ?? '')
}

/** What went wrong, in its own words. A host with several addresses fails with an empty message and a code. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message !== '' ? error.message : 'code' in error ? String(error.code) : error.name
}
