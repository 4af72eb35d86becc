import type { Origin } from '../context.ts'
import { openDatabase, type Database } from '../database/database.ts'
import { isUnavailable } from '../database/errors.ts'
import { createLog, type Log } from '../telemetry/log.ts'
import { loadSettings } from './load-settings.ts'
import { borrowDatabase } from './open-database.ts'
import { UsageError } from './usage-error.ts'

/** Whoever runs a command that does not ask for a name. */
const commandOrigin: Origin = { actor: 'operator:command', trace_id: null }

/** Does something with the database of the settings, which may be running, and ends what was started for it. */
export async function withDatabase(
  work: (context: { db: Database; log: Log; origin: Origin }) => Promise<void>
): Promise<void> {
  const settings = loadSettings()
  const server = await borrowDatabase(settings, (message) => void process.stderr.write(`${message}\n`))
  const db = openDatabase({ url: server.url, maxConnections: 1, applicationName: 'bulkhead-operator' })
  try {
    await work({ db, log: createLog(settings.LOG_LEVEL), origin: commandOrigin })
  } catch (error) {
    if (!isUnavailable(error)) throw error
    throw new UsageError('The database cannot be reached: nothing was changed.', { cause: error })
  } finally {
    await db.close()
    await server.stop()
  }
}
