import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../context.ts'
import { Worker } from '../execution/worker.ts'
import { buildServer } from '../http/server.ts'
import { ensureDemoOrganization } from '../organizations/demo-organization.ts'
import { Housekeeper } from '../reconciliation/housekeeper.ts'
import type { Settings } from '../settings.ts'
import { createLog, type Log } from '../telemetry/log.ts'
import { isStartedByNpm, loadSettings } from './load-settings.ts'
import { createHttpBankLog } from '../verification/http-bank-log.ts'
import { closeContext, makeContext } from './make-context.ts'
import { migrateOrExplain } from './migrate.ts'
import { provideDatabase } from './open-database.ts'
import { runSandboxBank } from './run-sandbox-bank.ts'
import { UsageError } from './usage-error.ts'
import { welcome } from './welcome.ts'

/** Stops in the reverse order of the starts, whatever of it had been started. */
type Stops = { what: string; stop: () => Promise<unknown>; deadline_ms?: number }[]

/** Longest time that a stop may take; what is not recorded by then is taken over at the next start. */
const stopDeadlineMs = 30_000

export interface StartOptions {
  manual: boolean
  /** Puts something between the program and its outside world; the tests kill it there. */
  wrap?: (context: Context) => Context
}

/** Brings everything up, in order, says where it is, and takes it down again at SIGINT or SIGTERM. */
export async function start(options: StartOptions): Promise<void> {
  const settings = loadSettings()
  const log = createLog(settings.LOG_LEVEL)
  const stops: Stops = []
  let stopping = false
  const up = bringUp(settings, log, options, stops).catch(async (error: unknown) => {
    await takeDown(stops, log)
    // Ctrl-C also ends what is just being started; that this failed is no news then.
    if (!stopping) throw error
  })
  const stop = (why: string): void => {
    if (stopping) return
    stopping = true
    log.info({ why }, 'stopping')
    void stopAll(up, stops, log)
  }
  // Not once: Ctrl-C comes twice where npm passes it on to its group's only process, and the second would kill.
  process.on('SIGINT', () => stop('SIGINT'))
  process.on('SIGTERM', () => stop('SIGTERM'))
  if (isStartedByNpm()) stopWithParent(stop)
  await up
}

async function bringUp(settings: Settings, log: Log, options: StartOptions, stops: Stops): Promise<void> {
  const tell = (message: string): void => void process.stderr.write(`${message}\n`)
  const database = await provideDatabase(settings, tell)
  stops.push({ what: 'database', stop: database.stop })
  const migrations = await migrateOrExplain(database.url)
  if (migrations.length > 0) tell(`Migrated the database: ${migrations.join(', ')}`)

  const bankUrl = settings.BANK_URL ?? (await startSandbox(settings, log, stops))
  const made = makeContext(settings, log, { databaseUrl: database.url, bankUrl })
  const context = options.wrap?.(made) ?? made
  stops.push({ what: 'connections', stop: () => closeContext(context), deadline_ms: 2_000 })
  const demoOrganizationId = await ensureDemoOrganization(context.db)

  if (settings.ROLE !== 'api' && !options.manual) {
    const worker = new Worker(context, `${hostname()}:${process.pid}`)
    await worker.start()
    // Waits for calls that are under way: a bank that hangs is given up after BANK_TIMEOUT_MS, 10 s if not set.
    stops.push({ what: 'worker', stop: () => worker.stop(), deadline_ms: 11_000 })
    const housekeeper = new Housekeeper(context, createHttpBankLog(bankUrl))
    housekeeper.start()
    stops.push({ what: 'housekeeper', stop: () => housekeeper.stop() })
  }
  if (settings.ROLE === 'worker') {
    tell('Bulkhead works on transfers. Stop with Ctrl-C.')
    return
  }
  const url = await listen(context, { demoOrganizationId, manual: options.manual }, stops)
  tell(welcome({ url, bankUrl, settings, manual: options.manual }))
}

/** Starts the sandbox bank, which tells results and returns by itself, signed with a secret of this start. */
async function startSandbox(settings: Settings, log: Log, stops: Stops): Promise<string> {
  settings.BANK_CALLBACK_SECRET ??= randomBytes(24).toString('hex')
  const { HOST, PORT, BANK_CALLBACK_SECRET } = settings
  const api = `http://${HOST.includes(':') ? `[${HOST}]` : HOST}:${PORT}`
  const bank = await runSandboxBank(log, {
    SANDBOX_BANK_CALLBACK_URL: `${api}/bank/notices`,
    BANK_CALLBACK_SECRET
  })
  stops.push({ what: 'sandbox bank', stop: bank.stop })
  return bank.url
}

async function listen(
  context: Context,
  options: { demoOrganizationId: number; manual: boolean },
  stops: Stops
): Promise<string> {
  const { HOST, PORT } = context.settings
  const server = await buildServer(context, options)
  stops.push({ what: 'api', stop: () => closeServer(server) })
  try {
    return await server.listen({ host: HOST, port: PORT })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')
      throw new UsageError(
        `Port ${PORT} is taken by another program; stop it or choose another: PORT=8080 npm start`,
        {
          cause: error
        }
      )
    throw error
  }
}

/** Lets requests that are under way end, for a moment; then a client that is slow loses its connection. */
async function closeServer(server: Awaited<ReturnType<typeof buildServer>>): Promise<void> {
  const cut = setTimeout(() => server.server.closeAllConnections(), 3_000)
  await server.close()
  clearTimeout(cut)
}

/** npm passes SIGTERM to its shell, which ends without passing it on; what it had started would run on for ever. */
function stopWithParent(stop: (why: string) => void): void {
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) stop('the end of npm')
  }, 200).unref()
}

/** Waits for what is being started, which would be left behind otherwise, and takes everything down. */
async function stopAll(up: Promise<void>, stops: Stops, log: Log): Promise<void> {
  setTimeout(() => {
    log.error('stopping took too long; ending now')
    process.exit(1)
  }, stopDeadlineMs).unref()
  await up
  await takeDown(stops, log)
  log.info('stopped')
  process.exit(0)
}

/** Longest that one part may take to stop, if it does not say otherwise. */
const partDeadlineMs = 5_000

/** Stops every part, the last started first. One that hangs is left behind and does not keep the others up. */
async function takeDown(stops: Stops, log: Log): Promise<void> {
  for (const { what, stop, deadline_ms = partDeadlineMs } of stops.splice(0).reverse())
    try {
      await inTime(stop(), deadline_ms)
    } catch (error) {
      log.error({ err: error, what }, 'a part did not stop cleanly')
    }
}

async function inTime(stopped: Promise<unknown>, deadlineMs: number): Promise<void> {
  const timer = new AbortController()
  const late = sleep(deadlineMs, undefined, { signal: timer.signal }).then(
    () => Promise.reject(new Error(`not stopped within ${deadlineMs} ms`)),
    () => undefined
  )
  await Promise.race([stopped, late]).finally(() => timer.abort())
}
