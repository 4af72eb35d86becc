import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { setFlagsFromString } from 'node:v8'
import { createTokens } from '../access/tokens.ts'
import type { Context } from '../context.ts'
import { openDatabase } from '../database/database.ts'
import { Sealer } from '../events/sealer.ts'
import { Worker } from '../execution/worker.ts'
import { buildMonitoringServer } from '../http/monitoring-server.ts'
import { buildServer } from '../http/server.ts'
import type { Server } from '../http/server-type.ts'
import { readCertificate, reloadCertificate } from '../http/transport.ts'
import { ensureDemoOrganization } from '../organizations/demo-organization.ts'
import { Housekeeper } from '../reconciliation/housekeeper.ts'
import type { Settings } from '../settings.ts'
import { createLog, type Log } from '../telemetry/log.ts'
import { measureProcess } from '../telemetry/measurements.ts'
import { isStartedByNpm, loadSettings } from './load-settings.ts'
import { Dispatcher } from '../webhooks/dispatcher.ts'
import { createHttpBankLog } from '../verification/http-bank-log.ts'
import { closeContext, makeContext } from './make-context.ts'
import { bringSchemaUpToDate } from './migrate.ts'
import { provideDatabase } from './open-database.ts'
import { runSandboxBank, type RunningSandboxBank } from './run-sandbox-bank.ts'
import { stopDeadlineMs, takeDown, type Stops } from './stops.ts'
import { UsageError } from './usage-error.ts'
import { version } from './version.ts'
import { welcome } from './welcome.ts'

interface StartOptions {
  manual: boolean
  /** Puts something between the program and its outside world; the tests kill it there. */
  wrap?: (context: Context) => Context
}

/** Brings everything up, in order, says where it is, and takes it down again at SIGINT or SIGTERM. */
export async function start(options: StartOptions): Promise<void> {
  const settings = loadSettings()
  requireCertificate(settings)
  // V8 takes its measure from the machine, and on a large one lets garbage lie: a peak of 329 MB, and 226 so. No limit,
  // which would end the process.
  setFlagsFromString('--heap-growing-percent=50')
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
  await bringSchemaUpToDate(database.url, settings, tell)

  const sandbox = settings.BANK_URL === undefined ? await startSandbox(settings, log, stops) : null
  const bankUrl = settings.BANK_URL ?? sandbox?.bank.url ?? ''
  const made = makeContext(sandbox?.settings ?? settings, log, { databaseUrl: database.url, bankUrl })
  const context = options.wrap?.(made) ?? made
  stops.push({ what: 'connections', stop: () => closeContext(context) })
  const demoOrganizationId = settings.MODE === 'demo' ? await openDemoOrganization(database.url) : null

  if (settings.ROLE !== 'api') {
    const sealer = new Sealer(context)
    sealer.start()
    stops.push({ what: 'sealer', stop: () => sealer.stop() })
    const dispatcher = new Dispatcher(context)
    dispatcher.start()
    // One that is cut off is sent again by whoever is next.
    stops.push({ what: 'webhooks', stop: () => dispatcher.stop() })
  }
  if (settings.ROLE !== 'api' && !options.manual) {
    const worker = new Worker(context, `${hostname()}:${process.pid}`)
    await worker.start()
    stops.push({ what: 'worker', stop: () => worker.stop() })
    const housekeeper = new Housekeeper(context, createHttpBankLog(bankUrl))
    housekeeper.start()
    stops.push({ what: 'housekeeper', stop: () => housekeeper.stop() })
  }
  await monitor(context, stops)
  if (settings.ROLE === 'worker') {
    tell('Bulkhead works on transfers. Stop with Ctrl-C.')
    return
  }
  const tokens = createTokens(context)
  const server = await buildServer(context, { demoOrganizationId, tokens, manual: options.manual })
  stops.push({ what: 'api', stop: () => closeServer(server) })
  process.on('SIGHUP', () => renewCertificate(server, context))
  const plainUrl = await listen(server, { host: settings.HOST, port: settings.PORT })
  const url = settings.TLS_CERT === undefined ? plainUrl : plainUrl.replace('http:', 'https:')
  // Only now is it known where the API is: PORT may be 0.
  if (settings.SANDBOX_BANK_CALLBACK_URL === undefined) sandbox?.bank.tellResultsTo(`${url}/bank/notices`)
  tell(welcome({ url, bankUrl, settings, manual: options.manual }))
}

/** By the owner of the tables: the roles under which the program works make no organizations. */
async function openDemoOrganization(url: string): Promise<number> {
  const db = openDatabase({ url, maxConnections: 1, applicationName: 'bulkhead-start' })
  try {
    return await ensureDemoOrganization(db)
  } finally {
    await db.close()
  }
}

/**
 * Starts the sandbox bank, which tells results and returns by itself, signed with a secret of this start if none is set;
 * returns the settings with it.
 */
async function startSandbox(
  settings: Settings,
  log: Log,
  stops: Stops
): Promise<{ bank: RunningSandboxBank; settings: Settings }> {
  const BANK_CALLBACK_SECRET = settings.BANK_CALLBACK_SECRET ?? randomBytes(24).toString('hex')
  const bank = await runSandboxBank(log, { BANK_CALLBACK_SECRET })
  stops.push({ what: 'sandbox bank', stop: bank.stop })
  return { bank, settings: { ...settings, BANK_CALLBACK_SECRET } }
}

/** Measures this process, and shows health and measurements apart from the API if a port is set for that. */
async function monitor(context: Context, stops: Stops): Promise<void> {
  const { METRICS_PORT: port, METRICS_HOST: host, ROLE: role } = context.settings
  measureProcess(context.measurements, { version, role })
  if (port === undefined) return
  const server = buildMonitoringServer(context)
  stops.push({ what: 'monitoring', stop: () => server.close() })
  context.log.info({ url: await listen(server, { host, port }) }, 'health and measurements')
}

async function listen(server: Server, where: { host: string; port: number }): Promise<string> {
  try {
    return await server.listen(where)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')
      throw new UsageError(
        `Port ${where.port} is taken by another program; stop it or choose another: PORT=8080 npm start`,
        { cause: error }
      )
    throw error
  }
}

/** Files that are wrong are told at the start, before anything runs. */
function requireCertificate(settings: Settings): void {
  try {
    readCertificate(settings)
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new UsageError(`TLS_CERT, TLS_KEY: they cannot be used: ${message}`, { cause })
  }
}

/** One that cannot be used leaves the last in place. */
function renewCertificate(server: Awaited<ReturnType<typeof buildServer>>, { settings, log }: Context): void {
  try {
    reloadCertificate(server, settings)
    log.info('read TLS_CERT and TLS_KEY again')
  } catch (error) {
    log.error({ err: error }, 'TLS_CERT and TLS_KEY cannot be used; the last ones go on')
  }
}

/** Lets requests that are under way end, for a moment; then a client that is slow loses its connection. */
async function closeServer(server: Server): Promise<void> {
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
