import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, describe, it } from 'node:test'
import type { BankAnswer, BankConnector } from '../../src/banking/connector.ts'
import { createHttpBank } from '../../src/banking/http-bank.ts'
import { startSandboxBank } from '../../src/sandbox-bank/start-sandbox-bank.ts'
import { anOrder, describeConnector } from './connector-conformance.ts'

describeConnector('the HTTP bank on a sandbox bank', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'bulkhead-bank-'))
  const sandbox = await startSandboxBank({ port: 0, logFile: path.join(folder, 'bank.jsonl') })
  const connector = createHttpBank({ url: sandbox.url, connections: 4, timeout_ms: 5_000 })
  after(async () => {
    await connector.close()
    await sandbox.stop()
    await rm(folder, { recursive: true })
  })
  const executions = async () => {
    const response = await fetch(`${sandbox.url}/payments?limit=1000`)
    return ((await response.json()) as { payments: { reference: string; amount: string }[] }).payments
  }
  return { connector, executions }
})

const order = anOrder()
const right = {
  reference: order.reference,
  status: 'EXECUTED',
  amount: '12.34',
  currency: 'EUR',
  counterparty_iban: order.counterparty_iban
}
const reason = { code: 'AC04', message: 'closed account' }
const silence_ms = 200

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** A bank that answers every request in one way, and a connector to it. */
async function arrange(handler: Handler) {
  const server = createServer(handler)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const connector = createHttpBank({ url, connections: 2, timeout_ms: silence_ms })
  after(async () => {
    server.closeAllConnections()
    server.close()
    await connector.close()
  })
  return connector
}

async function askBoth(connector: BankConnector): Promise<BankAnswer[]> {
  return [await connector.submit(order), await connector.inquire(order)]
}

const says =
  (status: number, body: unknown, headers: Record<string, string> = {}): Handler =>
  (_, response) =>
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body))

const unknown = (cause: string): BankAnswer => ({ outcome: 'unknown', cause })
const notUnderstood = unknown('answer-not-understood')
const aboutAnother = unknown('answer-about-another-payment')

const table: [what: string, handler: Handler, expected: BankAnswer][] = [
  ['the right payment', says(200, right), { outcome: 'executed' }],
  ['the right payment, created', says(201, right), { outcome: 'executed' }],
  ['PENDING', says(202, { ...right, status: 'PENDING' }), { outcome: 'taken' }],
  [
    'REJECTED with a reason',
    says(200, { ...right, status: 'REJECTED', reason }),
    { outcome: 'rejected', ...reason }
  ],
  [
    'REJECTED with words that no database stores',
    says(200, {
      ...right,
      status: 'REJECTED',
      reason: { code: 'AC04', message: `a\u0000b\ud800${'x'.repeat(900)}` }
    }),
    { outcome: 'rejected', code: 'AC04', message: `a b\ufffd${'x'.repeat(496)}` }
  ],
  ['REJECTED without a reason', says(200, { ...right, status: 'REJECTED' }), notUnderstood],
  [
    'REJECTED with an empty code',
    says(200, { ...right, status: 'REJECTED', reason: { code: '', message: '' } }),
    notUnderstood
  ],
  ['another reference', says(200, { ...right, reference: `${order.reference}1` }), aboutAnother],
  ['another amount', says(200, { ...right, amount: '12.35' }), aboutAnother],
  ['an amount that is a number', says(200, { ...right, amount: 12.34 }), notUnderstood],
  ['another currency', says(200, { ...right, currency: 'USD' }), aboutAnother],
  ['another payee', says(200, { ...right, counterparty_iban: 'FR7630006000011234567890189' }), aboutAnother],
  [
    'a rejection of another payment',
    says(200, { ...right, amount: '1.00', status: 'REJECTED', reason }),
    aboutAnother
  ],
  ['executed in small letters', says(200, { ...right, status: 'executed' }), notUnderstood],
  ['a status that nobody knows', says(200, { ...right, status: 'DONE' }), notUnderstood],
  ['a list of payments', says(200, [right]), notUnderstood],
  ['a web page', says(200, '<html>EXECUTED</html>', { 'content-type': 'text/html' }), notUnderstood],
  ['an empty body', says(200, ''), notUnderstood],
  ['half of the JSON', says(200, JSON.stringify(right).slice(0, -5)), notUnderstood],
  ['no content', says(204, ''), unknown('http-204')],
  ['400', says(400, right), unknown('http-400')],
  ['401', says(401, right), unknown('http-401')],
  ['404 of a proxy', says(404, 'Not Found'), unknown('http-404')],
  ['404 with another reason', says(404, { reason: 'not-found' }), unknown('http-404')],
  ['409', says(409, { reason: 'reference-reused' }), unknown('http-409')],
  ['500', says(500, right), unknown('http-500')],
  ['502', says(502, 'Bad Gateway'), unknown('http-502')],
  ['504', says(504, 'Gateway Timeout'), unknown('http-504')],
  [
    '429 with the seconds to wait',
    says(429, '', { 'retry-after': '7' }),
    { outcome: 'not-accepted', cause: 'http-429', retry_after_ms: 7_000 }
  ],
  [
    '429 with a date that has passed',
    says(429, '', { 'retry-after': 'Wed, 31 Dec 2025 23:59:59 GMT' }),
    { outcome: 'not-accepted', cause: 'http-429', retry_after_ms: 0 }
  ],
  [
    '429 with neither seconds nor a date',
    says(429, '', { 'retry-after': 'soon' }),
    { outcome: 'not-accepted', cause: 'http-429' }
  ],
  [
    '503 in the words of the bank',
    says(503, { reason: 'unavailable', details: 'closed' }),
    { outcome: 'not-accepted', cause: 'http-503' }
  ],
  ['503 of a proxy', says(503, '<html>Service Unavailable</html>'), unknown('http-503')],
  [
    '422 in the words of the bank',
    says(422, { reason: 'invalid-amount', details: 'amount must be' }),
    { outcome: 'refused', code: 'NARR', message: 'amount must be' }
  ],
  ['422 of a proxy', says(422, 'Unprocessable'), unknown('http-422')],
  [
    'a reset before the request was read',
    (request) => request.socket.resetAndDestroy(),
    unknown('ECONNRESET')
  ],
  [
    'a reset after the request was read',
    (request) => request.resume().on('end', () => request.socket.resetAndDestroy()),
    unknown('ECONNRESET')
  ],
  [
    'an end of the connection without a word',
    (request) => request.resume().on('end', () => request.socket.end()),
    unknown('UND_ERR_SOCKET')
  ],
  [
    'a reset in the middle of the answer',
    (request, response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write(JSON.stringify(right), () => request.socket.resetAndDestroy())
    },
    unknown('ECONNRESET')
  ],
  [
    'an answer shorter than promised',
    (request, response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write(JSON.stringify(right), () => request.socket.end())
    },
    unknown('UND_ERR_SOCKET')
  ],
  ['silence', (request) => request.resume(), unknown('UND_ERR_HEADERS_TIMEOUT')],
  [
    'silence after half of the answer',
    (_, response) => response.writeHead(200).write(JSON.stringify(right).slice(0, 20)),
    unknown('UND_ERR_BODY_TIMEOUT')
  ],
  [
    'a megabyte of headers',
    says(200, right, { 'x-noise': 'n'.repeat(1024 * 1024) }),
    unknown('UND_ERR_HEADERS_OVERFLOW')
  ],
  ['what is not HTTP', (request) => request.socket.end('EXECUTED\r\n\r\n'), unknown('HTTPParserError')]
]

describe('the HTTP bank, answered with', () => {
  for (const [what, handler, expected] of table)
    it(what, async () => {
      const connector = await arrange(handler)
      assert.deepEqual(await askBoth(connector), [expected, expected])
    })

  it('a header that never ends: loses patience after the time limit', async () => {
    const connector = await arrange((request) => {
      request.socket.write('HTTP/1.1 200 OK\r\nx-noise: ')
      const drip = setInterval(() => request.socket.write('n'), silence_ms / 10)
      request.socket.on('close', () => clearInterval(drip))
    })
    assert.deepEqual(await connector.submit(order), unknown('UND_ERR_HEADERS_TIMEOUT'))
  })

  it('404 by the word of the bank itself: not found if it was asked, nonsense if it was sent a payment', async () => {
    const connector = await arrange(says(404, { reason: 'payment-not-found', details: '' }))
    assert.deepEqual(await askBoth(connector), [unknown('http-404'), { outcome: 'not-found' }])
  })

  it('a redirect: does not go there', async () => {
    let visits = 0
    const elsewhere = createServer((_, response) => {
      visits += 1
      response.end(JSON.stringify(right))
    })
    await once(elsewhere.listen(0, '127.0.0.1'), 'listening')
    const location = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`
    for (const status of [301, 302, 307, 308]) {
      const connector = await arrange(says(status, right, { location }))
      const expected = unknown(`http-${status}`)
      assert.deepEqual(await askBoth(connector), [expected, expected])
    }
    elsewhere.close()
    assert.equal(visits, 0)
  })

  it('50 MB: stops reading, and so takes no memory for them', async () => {
    const piece = Buffer.alloc(64 * 1024, ' ')
    const total = 50 * 1024 * 1024
    let written = 0
    const connector = await arrange((_, response) => {
      response.writeHead(200, { 'content-length': total })
      const write = () => {
        while (written < total && !response.destroyed) {
          written += piece.length
          if (!response.write(piece)) return
        }
      }
      response.on('drain', write)
      write()
    })
    assert.deepEqual(await connector.submit(order), unknown('answer-too-large'))
    // Sockets of both sides hold some megabytes.
    assert.ok(written < total / 2, `${written} bytes were taken`)
  })

  it('a byte now and then: loses patience after the time limit, not after the last byte', async () => {
    let drops = 0
    const connector = await arrange((_, response) => {
      response.writeHead(200)
      const drip = setInterval(() => {
        drops += 1
        response.write(' ')
        if (drops === 100) response.end(JSON.stringify(right))
      }, silence_ms / 10)
      response.on('close', () => clearInterval(drip))
    })
    assert.deepEqual(await connector.submit(order), unknown('answer-too-slow'))
    assert.ok(drops < 60)
  })
})

describe('the HTTP bank, when there is none', () => {
  it('is refused before anything is sent', async () => {
    const server = net.createServer()
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await new Promise((resolve) => server.close(resolve))
    const connector = createHttpBank({ url, connections: 1, timeout_ms: silence_ms })
    const expected: BankAnswer = { outcome: 'not-accepted', cause: 'ECONNREFUSED' }
    assert.deepEqual(await askBoth(connector), [expected, expected])
    assert.equal(await connector.ping(), false)
    await connector.close()
  })

  it('is unknown when the connection is taken and then reset', async () => {
    const server = net.createServer((socket) => socket.resetAndDestroy())
    after(() => server.close())
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const connector = createHttpBank({ url, connections: 1, timeout_ms: silence_ms })
    for (const answer of await askBoth(connector)) assert.equal(answer.outcome, 'unknown')
    await connector.close()
  })
})

it('tells the bank which trace a call belongs to, if it belongs to one', async () => {
  const told: (string | string[] | undefined)[] = []
  const connector = await arrange((request, response) => {
    told.push(request.headers['traceparent'])
    response.setHeader('content-type', 'application/json').end(JSON.stringify(right))
  })
  const call = { again: false, mayCall: () => true, trace_id: '4bf92f3577b34da6a3ce929d0e0e4736' }
  await connector.submit(order, call)
  await connector.inquire(order, call)
  await connector.submit(order, { ...call, trace_id: null })
  assert.match(String(told[0]), /^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/)
  assert.match(String(told[1]), /^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/)
  assert.equal(told[2], undefined)
})
