import pg from 'pg'
import { isUnavailable } from '../database/errors.ts'
import { migrate } from '../database/migrate.ts'
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
export async function migrateOrExplain(databaseUrl: string): Promise<string[]> {
  try {
    return await migrate(databaseUrl)
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

/** A host with several addresses fails with an empty message and a code. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message !== '' ? error.message : 'code' in error ? String(error.code) : error.name
}
