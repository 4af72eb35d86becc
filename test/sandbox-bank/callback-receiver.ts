import { createHmac } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { CallbackOptions } from '../../src/sandbox-bank/callbacks.ts'
import type { Notice } from '../../src/sandbox-bank/present-payment.ts'

export interface Call {
  readonly notices: Notice[]
  readonly signed: boolean
}

export interface Receiver {
  readonly callback: CallbackOptions
  readonly calls: Call[]
  /** What the next calls are answered with; 204 when nothing is left. */
  readonly answers: number[]
  /** Waits until so many notices have come, over all calls. */
  readonly notices: (count: number) => Promise<Notice[]>
}

const secret = 'a secret for the tests'

/** Someone whom the bank tells its notices, and who remembers every call. */
export async function startReceiver(t: TestContext): Promise<Receiver> {
  const calls: Call[] = []
  const answers: number[] = []
  const arrivals = new EventEmitter()
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    calls.push(await readCall(request))
    response.writeHead(answers.shift() ?? 204).end()
    arrivals.emit('call')
  }
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1')
  t.after(() => server.close().closeAllConnections())
  await once(server, 'listening')
  const notices = async (count: number): Promise<Notice[]> => {
    for (;;) {
      const all = calls.flatMap((call) => call.notices)
      if (all.length >= count) return all
      await once(arrivals, 'call')
    }
  }
  const { port } = server.address() as AddressInfo
  return { callback: { url: `http://127.0.0.1:${port}/told?x=1`, secret }, calls, answers, notices }
}

async function readCall(request: IncomingMessage): Promise<Call> {
  const body = (await request.toArray()).join('')
  const [, time = '', mac] =
    /^t=([0-9]+),v1=([0-9a-f]{64})$/.exec(String(request.headers['bank-signature'])) ?? []
  const expected = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex')
  const fresh = Math.abs(Number(time) - Date.now() / 1000) < 60
  const { notices } = JSON.parse(body) as { notices: Notice[] }
  return {
    notices,
    signed: request.method === 'POST' && request.url === '/told?x=1' && mac === expected && fresh
  }
}
