import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { migrate } from '../../src/database/migrate.ts'
import { startEmbeddedPostgres } from '../../src/embedded/start-postgres.ts'

/**
 * Gives work a real PostgreSQL with a migrated template: the embedded one in a folder of its own, or the server of
 * TEST_DATABASE_URL (its user must be able to create databases). Children find both by the environment.
 */
export async function withTestServer<T>(
  work: (environment: Record<string, string>) => Promise<T>
): Promise<T> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bulkhead-test-'))
  const given = process.env['TEST_DATABASE_URL']
  const server = given === undefined ? await startEmbeddedPostgres({ directory: folder }) : null
  const url = given ?? server?.url ?? ''
  const template = `bulkhead_template_${process.pid}`
  try {
    await administer(url, `create database ${template}`)
    await migrate(withDatabase(url, template))
    const result = await work({ BULKHEAD_TEST_SERVER: url, BULKHEAD_TEST_TEMPLATE: template })
    await administer(url, `drop database ${template} with (force)`)
    return result
  } finally {
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function administer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(sql)
  await client.end()
}

function withDatabase(url: string, name: string): string {
  const target = new URL(url)
  target.pathname = name
  return target.href
}

/** The exit code of a child. It goes first when the program is interrupted, then what it uses. */
export function waitForChild(child: ChildProcess): Promise<number> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)))
}
