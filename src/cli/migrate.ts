import { migrate } from '../database/migrate.ts'
import { loadSettings } from './load-settings.ts'
import { UsageError } from './usage-error.ts'

/** Brings the schema of DATABASE_URL up to date, as a step of its own before a new version starts. */
export async function migrateCommand(): Promise<void> {
  const { DATABASE_URL } = loadSettings()
  if (DATABASE_URL === undefined)
    throw new UsageError('Set DATABASE_URL; the embedded database is migrated by npm start itself.')
  const done = await migrate(DATABASE_URL)
  process.stdout.write(done.length === 0 ? 'Nothing to migrate.\n' : `Migrated: ${done.join(', ')}\n`)
}
