import path from 'node:path'
import { runner } from 'node-pg-migrate'

const directory = path.join(import.meta.dirname, '../../migrations')

/**
 * Brings the schema up to date and tells which migrations it ran. Safe at every start and by several processes at
 * once: they wait for each other on an advisory lock, and each file runs once, in a transaction.
 */
export async function migrate(databaseUrl: string): Promise<string[]> {
  const done = await runner({
    databaseUrl,
    dir: path.join(directory, '*.sql'),
    useGlob: true,
    migrationsTable: 'migration',
    direction: 'up',
    checkOrder: true,
    advisoryLockMode: 'wait',
    log: () => undefined
  })
  return done.map((migration) => migration.name)
}
