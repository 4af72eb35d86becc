import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { migrate } from '../src/database/migrate.ts'
import { startEmbeddedPostgres } from '../src/embedded/start-postgres.ts'

/**
 * Runs the tests, all or the files that are named, on one real PostgreSQL: the embedded one in a folder of its own, or
 * the server of TEST_DATABASE_URL (its user must be able to create databases). Each test file clones the template, and
 * may take TEST_TIMEOUT_MS.
 */
const files = process.argv.slice(2)
const folder = mkdtempSync(path.join(tmpdir(), 'bulkhead-test-'))
const given = process.env['TEST_DATABASE_URL']
const server = given === undefined ? await startEmbeddedPostgres({ directory: folder }) : null
const url = given ?? server?.url ?? ''
const template = `bulkhead_template_${process.pid}`

let exitCode = 1
try {
  await administer(`create database ${template}`)
  await migrate(withDatabase(template))
  exitCode = await runTests({ BULKHEAD_TEST_SERVER: url, BULKHEAD_TEST_TEMPLATE: template })
  await administer(`drop database ${template} with (force)`)
} finally {
  await server?.stop()
  rmSync(folder, { recursive: true, force: true })
}
process.exit(exitCode)

async function administer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(sql)
  await client.end()
}

function withDatabase(name: string): string {
  const target = new URL(url)
  target.pathname = name
  return target.href
}

function runTests(environment: Record<string, string>): Promise<number> {
  const timeout = process.env['TEST_TIMEOUT_MS'] ?? '180000'
  const flags = ['--test', '--test-concurrency=2', `--test-timeout=${timeout}`]
  const child = spawn(process.execPath, [...flags, ...(files.length > 0 ? files : ['test/**/*.test.ts'])], {
    stdio: 'inherit',
    env: { ...process.env, ...environment }
  })
  // The children go first, then what they use; so nothing is left running when the tests are interrupted.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)))
}
