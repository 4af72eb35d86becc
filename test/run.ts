import { spawn } from 'node:child_process'
import path from 'node:path'
import { waitForChild, withTestServer } from './support/test-server.ts'

/**
 * Runs the tests, all or the files that are named, on one real PostgreSQL. Each test file clones the template; each test may
 * take TEST_TIMEOUT_MS.
 */
const files = process.argv.slice(2)
const timeout = process.env['TEST_TIMEOUT_MS'] ?? '600000'
// Code is compiled once for all processes of all tests: a start takes half of its processor time that way.
const NODE_COMPILE_CACHE = path.join(import.meta.dirname, '../node_modules/.cache/compile')
const flags = ['--test', '--test-concurrency=2', `--test-timeout=${timeout}`]

process.exit(
  await withTestServer((environment) =>
    waitForChild(
      spawn(process.execPath, [...flags, ...(files.length > 0 ? files : ['test/**/*.test.ts'])], {
        stdio: 'inherit',
        env: { NODE_COMPILE_CACHE, ...process.env, ...environment }
      })
    )
  )
)
