import { spawn } from 'node:child_process'
import { waitForChild, withTestServer } from './support/test-server.ts'

/**
 * Runs the tests, all or the files that are named, on one real PostgreSQL. Each test file clones the template, and may
 * take TEST_TIMEOUT_MS.
 */
const files = process.argv.slice(2)
const timeout = process.env['TEST_TIMEOUT_MS'] ?? '180000'
const flags = ['--test', '--test-concurrency=2', `--test-timeout=${timeout}`]

process.exit(
  await withTestServer((environment) =>
    waitForChild(
      spawn(process.execPath, [...flags, ...(files.length > 0 ? files : ['test/**/*.test.ts'])], {
        stdio: 'inherit',
        env: { ...process.env, ...environment }
      })
    )
  )
)
