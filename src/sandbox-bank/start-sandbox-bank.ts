import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { notAllowed, problem, type Answer } from './answer.ts'
import { answerRequest } from './answer-request.ts'
import { Callbacks, type CallbackOptions } from './callbacks.ts'
import { close, goDown, listen } from './listen.ts'
import { openPaymentBank, type PaymentBank } from './payment-bank.ts'
import { sendAnswer, sendBadly } from './send-answer.ts'

export interface SandboxBankOptions {
  /** 0 takes any free port. */
  readonly port: number
  readonly host?: string
  readonly logFile: string
  readonly latencyMs?: number
  /** How long a taken port is asked for again: a dying predecessor may still hold it. */
  readonly portWaitMs?: number
  /** Whom to tell late results and returns; nobody without it. */
  readonly callback?: CallbackOptions
}

export interface SandboxBank {
  readonly url: string
  readonly port: number
  readonly stop: () => Promise<void>
  /** Where late results and returns are told from now on, if there is a secret to sign them with. */
  readonly tellResultsTo: (url: string) => void
}

interface Desk {
  readonly server: Server
  readonly logFile: string
  readonly latencyMs: number
  readonly stopping: AbortController
  bank: PaymentBank | undefined
  active: number
  onIdle: (() => void) | undefined
  /** Answers that are badly sent and may never end by themselves. */
  readonly hanging: Set<ServerResponse>
  outage: Promise<void> | undefined
}

const DEFAULT_HOST = '127.0.0.1'
const LOOPBACK = /^(?:127\.\d+\.\d+\.\d+|::1|localhost)$/
const DEFAULT_PORT_WAIT_MS = 3000
// Longer than any client keeps an idle socket, so that a request never meets a socket closing on it.
const KEEP_ALIVE_MS = 65_000
const REQUEST_MS = 30_000
const STOP_MS = 5000

/**
 * Starts the bank: resolves once its log is read and it answers. The port is taken before the log is read
 * and given back after it is closed, so that of two banks on one port only one ever has the log open (but for
 * the outage that a scenario asks for).
 */
export async function startSandboxBank(options: SandboxBankOptions): Promise<SandboxBank> {
  const { port, host = DEFAULT_HOST, logFile, latencyMs = 0, portWaitMs = DEFAULT_PORT_WAIT_MS } = options
  if (!LOOPBACK.test(host)) throw new Error(`the sandbox bank listens on loopback only, not on ${host}`)
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: REQUEST_MS })
  const desk = openDesk(server, logFile, latencyMs)
  server.on('request', (request, response) => void serve(desk, request, response))
  server.on('clientError', answerBrokenHttp)
  await listen(server, { port, host }, portWaitMs, desk.stopping.signal)
  const callbacks = options.callback === undefined ? undefined : new Callbacks(options.callback)
  try {
    const bank = await openPaymentBank(logFile, callbacks && ((notice) => callbacks.tell(notice)))
    desk.bank = bank
    const taken = (server.address() as AddressInfo).port
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${taken}`
    let stopped: Promise<void> | undefined
    return {
      url,
      port: taken,
      stop: () => (stopped ??= stop(desk, bank, callbacks)),
      tellResultsTo: (to) => callbacks?.tellTo(to)
    }
  } catch (cause) {
    await close(server)
    throw cause
  }
}

function openDesk(server: Server, logFile: string, latencyMs: number): Desk {
  return {
    ...{ server, logFile, latencyMs },
    stopping: new AbortController(),
    bank: undefined,
    active: 0,
    onIdle: undefined,
    hanging: new Set(),
    outage: undefined
  }
}

async function serve(desk: Desk, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { bank } = desk
  if (request.url === '/health') {
    sendAnswer(response, answerHealth(desk, request.method))
    return
  }
  if (bank === undefined || desk.stopping.signal.aborted) {
    response.shouldKeepAlive = false
    const details = 'Nothing was executed: the bank is starting or stopping.'
    sendAnswer(response, problem(503, 'unavailable', details))
    return
  }
  desk.active += 1
  response.on('close', () => {
    desk.active -= 1
    if (desk.active === 0) desk.onIdle?.()
  })
  const answer = await answerAnything(bank, request)
  if (desk.latencyMs > 0) await delay(desk.latencyMs)
  if (answer.fault === undefined) sendAnswer(response, answer)
  else misbehave(desk, bank, response, answer)
  if (answer.notices !== undefined) for (const notice of answer.notices) void bank.tell(notice)
}

// The edge of the process: a fault of ours, or a request cut off in its body, must not end the bank.
async function answerAnything(bank: PaymentBank, request: IncomingMessage): Promise<Answer> {
  try {
    return await answerRequest(bank, request)
  } catch (cause) {
    return problem(500, 'internal-error', cause instanceof Error ? cause.message : String(cause))
  }
}

function misbehave(desk: Desk, bank: PaymentBank, response: ServerResponse, answer: Answer): void {
  const { fault } = answer
  if (fault === undefined) return
  if (fault.kind === 'outage') {
    desk.outage ??= breakDown(desk, fault.seconds)
    return
  }
  // Nobody waits for such an answer when the bank stops, or when its client has gone.
  if (desk.stopping.signal.aborted || response.destroyed) {
    response.destroy()
    return
  }
  desk.hanging.add(response)
  response.on('close', () => desk.hanging.delete(response))
  sendBadly(response, answer, fault, bank.clock)
}

async function breakDown(desk: Desk, seconds: number): Promise<void> {
  const { address, port } = desk.server.address() as AddressInfo
  await goDown(desk.server, { host: address, port }, seconds, desk.stopping.signal)
  desk.outage = undefined
}

function answerHealth({ bank, stopping, logFile }: Desk, method: string | undefined): Answer {
  if (method !== 'GET') return notAllowed('GET')
  const { aborted } = stopping.signal
  const status = aborted ? 'stopping' : bank === undefined ? 'starting' : bank.failure ? 'failed' : 'ok'
  const body = { service: 'bulkhead-sandbox-bank', status, log_file: logFile }
  return { status: status === 'ok' ? 200 : 503, body }
}

// What is not even HTTP never becomes a request; it still gets JSON.
function answerBrokenHttp(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const text = JSON.stringify({ reason: 'malformed-http', details: 'The request is not well-formed HTTP.' })
  const head = `HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/problem+json`
  socket.end(`${head}\r\ncontent-length: ${text.length}\r\n\r\n${text}`)
}

async function stop(desk: Desk, bank: PaymentBank, callbacks: Callbacks | undefined): Promise<void> {
  desk.stopping.abort()
  for (const response of desk.hanging) response.destroy()
  await callbacks?.stop()
  await desk.outage
  if (desk.active > 0) {
    // A client that stopped in the middle of its body is not waited for.
    const patience = setTimeout(() => desk.server.closeAllConnections(), STOP_MS)
    await new Promise<void>((resolve) => (desk.onIdle = resolve))
    clearTimeout(patience)
  }
  await bank.close()
  await close(desk.server)
}
