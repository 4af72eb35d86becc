import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { runner } from 'node-pg-migrate'
import pg from 'pg'
import { isUndefinedTable } from './errors.ts'
import { statement, type Tx } from './statement.ts'

const directory = path.join(import.meta.dirname, '../../migrations')

/**
 * Brings the schema up to date and tells which migrations it ran. Safe at every start and by several processes at
 * once: they wait for each other on an advisory lock, and each file runs once, in a transaction.
 */
export async function migrate(databaseUrl: string): Promise<string[]> {
  // The runner does not wait for a connection of its own to close, nor listen to it: a database that is dropped or
  // stopped right after would end this process.
  const client = new pg.Client({ connectionString: databaseUrl })
  client.on('error', () => undefined)
  await client.connect()
  try {
    const done = await runner({
      dbClient: client,
      dir: path.join(directory, '*.sql'),
      useGlob: true,
      migrationsTable: 'migration',
      direction: 'up',
      checkOrder: true,
      advisoryLockMode: 'wait',
      log: () => undefined
    })
    return done.map((migration) => migration.name)
  } finally {
    await client.end()
  }
}

const selectMigrations = statement(
  'select-migrations',
  {},
  { name: 'text' },
  `select name::text from migration`
)

/** Migrations of this program that the database does not have, in their order. */
export async function findMissingMigrations(tx: Tx): Promise<string[]> {
  const done = await selectMigrations(tx, {}).catch((error: unknown) => {
    if (isUndefinedTable(error)) return []
    throw error
  })
  const names = new Set(done.map(({ name }) => name))
  return (await listMigrations()).filter((name) => !names.has(name))
}

async function listMigrations(): Promise<string[]> {
  const files = await readdir(directory)
  return files
    .filter((file) => file.endsWith('.sql'))
    .map((file) => path.basename(file, '.sql'))
    .toSorted()
}

/** The body of each function in PL/pgSQL, as the last migration that has it makes it. */
export async function readFunctionBodies(): Promise<Map<string, string>> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.sql')).toSorted()
  const texts = await Promise.all(files.map((file) => readFile(path.join(directory, file), 'utf8')))
  const made = /create (?:or replace )?function (\w+)\(\) returns trigger language plpgsql as \$\$(.*?)\$\$/gs
  return new Map(
    texts.flatMap((text) => [...text.matchAll(made)].map(([, name = '', body = '']) => [name, body] as const))
  )
}
