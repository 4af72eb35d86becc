import { randomUUID } from 'node:crypto'
import { after } from 'node:test'
import pg from 'pg'
import { openDatabase, type Database } from '../../src/database/database.ts'

const server = process.env['BULKHEAD_TEST_SERVER'] ?? ''
const template = process.env['BULKHEAD_TEST_TEMPLATE'] ?? ''

export interface TestDatabase {
  db: Database
  url: string
  /** Any SQL at all, outside of the program's statements: to look, and to corrupt. */
  sql: <Row extends pg.QueryResultRow = Record<string, unknown>>(
    text: string,
    values?: unknown[]
  ) => Promise<Row[]>
}

interface Options {
  migrated?: boolean
  maxConnections?: number
}

/** A migrated database of this test file's own, gone when the file is done. */
export async function createTestDatabase(options: Options = {}): Promise<TestDatabase> {
  const { close, ...database } = await openTestDatabase(options)
  after(close)
  return database
}

/** A migrated database of its own for a program that is no test file; `close` drops it. */
export async function openTestDatabase(
  options: Options = {}
): Promise<TestDatabase & { close: () => Promise<void> }> {
  if (server === '') throw new Error('run the tests with: npm test -- test/the-file.test.ts')
  const name = `bulkhead_${randomUUID().replaceAll('-', '')}`
  await administer(`create database ${name} ${options.migrated === false ? '' : `template ${template}`}`)
  const url = new URL(server)
  url.pathname = name
  const db = openDatabase({
    url: url.href,
    maxConnections: options.maxConnections ?? 20,
    applicationName: 'bulkhead-test'
  })
  const raw = new pg.Pool({ connectionString: url.href, max: 2 })
  raw.on('error', () => undefined)
  return {
    db,
    url: url.href,
    async sql<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) {
      const { rows } = await raw.query<Row>(text, values)
      return rows
    },
    async close() {
      await db.close()
      await raw.end()
      await administer(`drop database ${name} with (force)`)
    }
  }
}

/** What tells two states of the database apart: each table's number of rows, and a digest of them. */
export async function digestTables(
  database: TestDatabase,
  tables = ['account', 'bulk', 'chunk', 'outcome', 'posting', 'attempt']
) {
  const digests = tables.map((table) =>
    database.sql(
      `select '${table}' as name, count(*), md5(string_agg(t::text, '|' order by t::text)) from ${table} t`
    )
  )
  return (await Promise.all(digests)).flat()
}

async function administer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
