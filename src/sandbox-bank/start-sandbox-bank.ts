import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { answerRequest, notAllowed, problem, type Answer } from './answer-request.ts'
import { openPaymentBank, type PaymentBank } from './payment-bank.ts'

export interface SandboxBankOptions {
  /** 0 takes any free port. */
  readonly port: number
  readonly host?: string
  readonly logFile: string
  readonly latencyMs?: number
  /** How long a taken port is asked for again: a dying predecessor may still hold it. */
  readonly portWaitMs?: number
}

export interface SandboxBank {
  readonly url: string
  readonly port: number
  readonly stop: () => Promise<void>
}

interface Desk {
  readonly logFile: string
  readonly latencyMs: number
  bank: PaymentBank | undefined
  stopping: boolean
  active: number
  onIdle: (() => void) | undefined
}

const DEFAULT_HOST = '127.0.0.1'
const LOOPBACK = /^(?:127\.\d+\.\d+\.\d+|::1|localhost)$/
const DEFAULT_PORT_WAIT_MS = 3000
const PORT_RETRY_MS = 50
// Longer than any client keeps an idle socket, so that a request never meets a socket closing on it.
const KEEP_ALIVE_MS = 65_000
const REQUEST_MS = 30_000
const STOP_MS = 5000

/**
 * Starts the bank: resolves once its log is read and it answers. The port is taken before the log is read
 * and given back after it is closed, so that of two banks on one port only one ever has the log open.
 */
export async function startSandboxBank(options: SandboxBankOptions): Promise<SandboxBank> {
  const { port, host = DEFAULT_HOST, logFile, latencyMs = 0, portWaitMs = DEFAULT_PORT_WAIT_MS } = options
  if (!LOOPBACK.test(host)) throw new Error(`the sandbox bank listens on loopback only, not on ${host}`)
  const desk: Desk = { logFile, latencyMs, bank: undefined, stopping: false, active: 0, onIdle: undefined }
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: REQUEST_MS })
  server.on('request', (request, response) => void serve(desk, request, response))
  server.on('clientError', answerBrokenHttp)
  await listen(server, { port, host, portWaitMs })
  try {
    const bank = await openPaymentBank(logFile)
    desk.bank = bank
    const taken = (server.address() as AddressInfo).port
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${taken}`
    let stopped: Promise<void> | undefined
    return { url, port: taken, stop: () => (stopped ??= stop(desk, bank, server)) }
  } catch (cause) {
    await close(server)
    throw cause
  }
}

async function listen(
  server: Server,
  { port, host, portWaitMs }: { port: number; host: string; portWaitMs: number }
): Promise<void> {
  const deadline = performance.now() + portWaitMs
  for (;;) {
    const failure = await tryListen(server, port, host)
    if (failure === undefined) return
    if (failure.code !== 'EADDRINUSE') throw failure
    if (performance.now() >= deadline) {
      throw new Error(`port ${port} on ${host} is still in use after ${portWaitMs} ms`, { cause: failure })
    }
    await delay(PORT_RETRY_MS)
  }
}

function tryListen(server: Server, port: number, host: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const settle = (failure?: NodeJS.ErrnoException) => {
      server.off('error', settle)
      server.off('listening', settle)
      resolve(failure)
    }
    server.on('error', settle)
    server.on('listening', settle)
    server.listen(port, host)
  })
}

async function serve(desk: Desk, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { bank } = desk
  if (request.url === '/health') {
    send(response, answerHealth(desk, request.method))
    return
  }
  if (bank === undefined || desk.stopping) {
    response.shouldKeepAlive = false
    send(response, problem(503, 'unavailable', 'Nothing was executed: the bank is starting or stopping.'))
    return
  }
  desk.active += 1
  response.on('close', () => {
    desk.active -= 1
    if (desk.active === 0) desk.onIdle?.()
  })
  const answer = await answerAnything(bank, request)
  if (desk.latencyMs > 0) await delay(desk.latencyMs)
  send(response, answer)
}

// The edge of the process: a fault of ours, or a request cut off in its body, must not end the bank.
async function answerAnything(bank: PaymentBank, request: IncomingMessage): Promise<Answer> {
  try {
    return await answerRequest(bank, request)
  } catch (cause) {
    return problem(500, 'internal-error', cause instanceof Error ? cause.message : String(cause))
  }
}

function answerHealth({ bank, stopping, logFile }: Desk, method: string | undefined): Answer {
  if (method !== 'GET') return notAllowed('GET')
  const status = stopping ? 'stopping' : bank === undefined ? 'starting' : bank.failure ? 'failed' : 'ok'
  const body = { service: 'bulkhead-sandbox-bank', status, log_file: logFile }
  return { status: status === 'ok' ? 200 : 503, body }
}

function send(response: ServerResponse, { status, body, allow }: Answer): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': status < 400 ? 'application/json' : 'application/problem+json',
    'content-length': Buffer.byteLength(text),
    ...(allow === undefined ? {} : { allow })
  })
  response.end(text)
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

async function stop(desk: Desk, bank: PaymentBank, server: Server): Promise<void> {
  desk.stopping = true
  if (desk.active > 0) {
    // A client that stopped in the middle of its body is not waited for.
    const patience = setTimeout(() => server.closeAllConnections(), STOP_MS)
    await new Promise<void>((resolve) => (desk.onIdle = resolve))
    clearTimeout(patience)
  }
  await bank.close()
  await close(server)
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
