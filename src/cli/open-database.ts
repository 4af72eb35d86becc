import path from 'node:path'
import { EmbeddedPostgresError } from '../embedded/embedded-error.ts'
import { findEmbeddedPostgres, startEmbeddedPostgres } from '../embedded/start-postgres.ts'
import type { Settings } from '../settings.ts'
import { UsageError } from './usage-error.ts'

export interface OpenedServer {
  url: string
  stop: () => Promise<void>
}

const leaveRunning = () => Promise.resolve()

/** The database server that the settings name, or the embedded one, started. */
export async function provideDatabase(
  settings: Settings,
  tell: (message: string) => void
): Promise<OpenedServer> {
  if (settings.DATABASE_URL !== undefined) return { url: settings.DATABASE_URL, stop: leaveRunning }
  try {
    return await startEmbeddedPostgres({ directory: folderOf(settings), onProgress: tell })
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) throw new UsageError(error.message, { cause: error })
    throw error
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
