import path from 'node:path'
import { EmbeddedPostgresError } from '../embedded/embedded-error.ts'
import {
  type EmbeddedPostgres,
  findEmbeddedPostgres,
  startEmbeddedPostgres
} from '../embedded/start-postgres.ts'
import type { Settings } from '../settings.ts'
import { UsageError } from './usage-error.ts'

export interface OpenedServer {
  url: string
  stop: () => Promise<void>
}

const leaveRunning = () => Promise.resolve()

/** The database server that the settings name, or the embedded one, started and kept running. */
export async function provideDatabase(
  settings: Settings,
  tell: (message: string) => void
): Promise<OpenedServer> {
  if (settings.DATABASE_URL !== undefined) return { url: settings.DATABASE_URL, stop: leaveRunning }
  try {
    const postgres = await startEmbeddedPostgres({ directory: folderOf(settings), onProgress: tell })
    const watch = setInterval(() => void keepRunning(postgres, tell), watchEveryMs)
    watch.unref()
    return {
      url: postgres.url,
      stop: () => {
        clearInterval(watch)
        return postgres.stop()
      }
    }
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) throw new UsageError(error.message, { cause: error })
    throw error
  }
}

const watchEveryMs = 2_000

/** A server that was killed comes back with everything that was committed; until then calls get 503. */
async function keepRunning(postgres: EmbeddedPostgres, tell: (message: string) => void): Promise<void> {
  try {
    if (await postgres.revive()) tell('PostgreSQL had ended by itself; it runs again.')
  } catch (error) {
    tell(
      `PostgreSQL has ended and does not start again: ${error instanceof Error ? error.message : String(error)}`
    )
  }
}

/** The database of a Bulkhead that may be running already: its server if there is one, else one started for this. */
export async function borrowDatabase(
  settings: Settings,
  tell: (message: string) => void
): Promise<OpenedServer> {
  if (settings.DATABASE_URL === undefined) {
    const running = await findEmbeddedPostgres(folderOf(settings))
    if (running !== null) return { url: running, stop: leaveRunning }
  }
  return provideDatabase(settings, tell)
}

function folderOf(settings: Settings): string {
  return path.resolve(settings.DATA_DIR, 'postgresql')
}
