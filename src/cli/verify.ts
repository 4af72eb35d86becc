import { existsSync } from 'node:fs'
import path from 'node:path'
import { request } from 'undici'
import { z } from 'zod'
import { openDatabase, type Database } from '../database/database.ts'
import { isUnavailable } from '../database/errors.ts'
import { startSandboxBank } from '../sandbox-bank/start-sandbox-bank.ts'
import type { Settings } from '../settings.ts'
import { BankLogUnavailable } from '../verification/bank-log.ts'
import { createHttpBankLog } from '../verification/http-bank-log.ts'
import { printVerdict, showProgress } from '../verification/print-verdict.ts'
import { findSchema } from '../verification/queries.ts'
import { verify, type Verification } from '../verification/verify.ts'
import { loadSettings } from './load-settings.ts'
import { borrowDatabase, type OpenedServer } from './open-database.ts'
import { bankLogFile } from './sandbox-bank.ts'
import { UsageError } from './usage-error.ts'

/** Proves the invariants of a running or stopped Bulkhead; the exit code is 1 if any of them is broken. */
export async function verifyCommand(): Promise<void> {
  const verification = await runVerification(loadSettings())
  printVerdict(verification)
  if (verification.violations.length > 0) process.exitCode = 1
}

/** Verifies the database and the bank of these settings, and starts for the time of it what is not running. */
export async function runVerification(settings: Settings): Promise<Verification> {
  if (settings.DATABASE_URL === undefined && !existsSync(path.resolve(settings.DATA_DIR)))
    throw new UsageError(`There is nothing to verify in ${settings.DATA_DIR}; npm start makes it.`)
  const tell = (message: string): void => void process.stderr.write(`${message}\n`)
  const server = await borrowDatabase(settings, tell)
  try {
    return await verifyDatabase(settings, server.url)
  } finally {
    await server.stop()
  }
}

async function verifyDatabase(settings: Settings, url: string): Promise<Verification> {
  const db = openDatabase({ url, maxConnections: 2, applicationName: 'bulkhead-verify' })
  const progress = showProgress(process.stderr)
  try {
    await requireSchema(db)
    const bank = await borrowBank(settings)
    try {
      return await verify(db, createHttpBankLog(bank.url), { onProgress: progress.tell })
    } catch (error) {
      if (!(error instanceof BankLogUnavailable)) throw error
      throw new UsageError(`The bank at ${bank.url} does not show its log: ${error.message}`, {
        cause: error
      })
    } finally {
      await bank.stop()
    }
  } finally {
    progress.end()
    await db.close()
  }
}

async function requireSchema(db: Database): Promise<void> {
  try {
    const [schema] = await findSchema(db, {})
    if (schema?.present !== true)
      throw new UsageError("Bulkhead's tables are not in this database; npm start or migrate makes them.")
  } catch (error) {
    if (!isUnavailable(error)) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new UsageError(`The database can't be reached: ${why}`, { cause: error })
  }
}

/**
 * The bank of the settings: the one that is running, or the sandbox bank on its log. It is started on its own port
 * and on no other, since holding that port is what keeps a second bank from opening the same log.
 */
async function borrowBank(settings: Settings): Promise<OpenedServer> {
  const running = { stop: () => Promise.resolve() }
  if (settings.BANK_URL !== undefined) return { url: settings.BANK_URL, ...running }
  const port = settings.SANDBOX_BANK_PORT
  if (port === 0)
    throw new UsageError(
      'SANDBOX_BANK_PORT is 0, so the bank could be anywhere: set BANK_URL to its address.'
    )
  const url = `http://127.0.0.1:${port}`
  const logFile = bankLogFile(settings)
  const health = await askHealth(url)
  if (health === 'nobody') return startBank(port, logFile)
  if (health === 'someone else')
    throw new UsageError(`${url} is not the sandbox bank: set SANDBOX_BANK_PORT or BANK_URL.`)
  if (health.log_file !== logFile)
    throw new UsageError(
      `The sandbox bank at ${url} keeps the log ${health.log_file}, not ${logFile}: set DATA_DIR and SANDBOX_BANK_PORT as they are for the running Bulkhead.`
    )
  return { url, ...running }
}

async function startBank(port: number, logFile: string): Promise<OpenedServer> {
  if (!existsSync(logFile))
    throw new UsageError(
      `No sandbox bank runs on port ${port} and there is no log ${logFile}: start Bulkhead, or set BANK_URL or DATA_DIR.`
    )
  try {
    return await startSandboxBank({ port, logFile })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new UsageError(`The sandbox bank does not start: ${why}`, { cause: error })
  }
}

const healthSchema = z.object({ service: z.literal('bulkhead-sandbox-bank'), log_file: z.string() })
type Health = z.infer<typeof healthSchema>

async function askHealth(url: string): Promise<Health | 'nobody' | 'someone else'> {
  try {
    const { body } = await request(`${url}/health`, { headersTimeout: 2_000, bodyTimeout: 2_000 })
    const health = healthSchema.safeParse(JSON.parse(await body.text()))
    return health.success ? health.data : 'someone else'
  } catch (error) {
    const refused = error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED'
    return refused ? 'nobody' : 'someone else'
  }
}
