import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Answer } from './answer.ts'
import type { BankClock } from './bank-clock.ts'
import type { TransportFault } from './scenario.ts'

const BLANKS = Buffer.alloc(64 * 1024, ' ')
const HUGE_BYTES = 50 * 1024 * 1024

/** Sends an answer as it is meant to be sent. */
export function sendAnswer(response: ServerResponse, answer: Answer): void {
  response.end(writeHead(response, answer))
}

/** Sends an answer badly, or never; the response is left to the client's or the bank's hanging up. */
export function sendBadly(
  response: ServerResponse,
  answer: Answer,
  fault: Exclude<TransportFault, { kind: 'outage' }>,
  clock: BankClock
): void {
  switch (fault.kind) {
    case 'hang':
      return
    case 'reset':
      response.socket?.resetAndDestroy()
      return
    case 'delay':
      response.on(
        'close',
        clock.at(clock.nowMs() + fault.seconds * 1000, () => sendAnswer(response, answer))
      )
      return
    case 'drip':
      drip(response, Buffer.from(writeHead(response, answer)), clock)
      return
    case 'huge':
      response.writeHead(200, { 'content-type': 'application/json' })
      // A client that hangs up ends it; that is no fault of ours.
      pipeline(Readable.from(hugeBody(answer)), response).catch(() => undefined)
  }
}

function writeHead(response: ServerResponse, { status, body, headers }: Answer): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  response.writeHead(status, {
    'content-type': typeof body === 'string' ? 'text/html' : jsonType(status),
    'content-length': Buffer.byteLength(text),
    ...headers
  })
  return text
}

function jsonType(status: number): string {
  return status < 400 ? 'application/json' : 'application/problem+json'
}

function drip(response: ServerResponse, bytes: Buffer, clock: BankClock): void {
  let sent = 0
  let cancel = (): void => undefined
  const sendByte = () => {
    response.write(bytes.subarray(sent, sent + 1))
    sent += 1
    if (sent === bytes.length) response.end()
    else cancel = clock.at(clock.nowMs() + 1000, sendByte)
  }
  response.flushHeaders()
  response.on('close', () => cancel())
  cancel = clock.at(clock.nowMs() + 1000, sendByte)
}

// Blanks before a JSON text mean nothing: who reads on to the end gets the truth.
function* hugeBody({ body }: Answer): Generator<Buffer> {
  for (let bytes = 0; bytes < HUGE_BYTES; bytes += BLANKS.length) yield BLANKS
  yield Buffer.from(JSON.stringify(body))
}
