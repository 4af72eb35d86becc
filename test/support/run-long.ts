import { spawn } from 'node:child_process'
import path from 'node:path'
import { parseArgs } from 'node:util'

/** Runs a test file for the minutes of the command line, on a PostgreSQL as every test has it. */
export async function runLong(file: string): Promise<void> {
  const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } })
  const timeoutMs = (Number(values.minutes) + 5) * 60_000
  const child = spawn(process.execPath, [path.join(import.meta.dirname, '../run.ts'), file], {
    stdio: 'inherit',
    env: { ...process.env, LONG_MINUTES: values.minutes, TEST_TIMEOUT_MS: `${timeoutMs}` }
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  process.exitCode = await new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1)))
}
