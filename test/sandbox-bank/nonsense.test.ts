import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { ask, list, order, post, startBank, type Reply } from './bank-harness.ts'

const json = (changes: Record<string, unknown>) => JSON.stringify(order(changes))

const BODIES: [what: string, body: string | Uint8Array<ArrayBuffer>, status: number, reason: string][] = [
  ['nothing', '', 400, 'malformed-json'],
  ['half an object', '{"reference": ', 400, 'malformed-json'],
  ['bytes that are not UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 400, 'malformed-json'],
  ['deep nesting', '['.repeat(30_000), 400, 'malformed-json'],
  ['more than 64 KB', json({ description: 'x'.repeat(65_536) }), 413, 'payload-too-large'],
  ['several megabytes', 'x'.repeat(5_000_000), 413, 'payload-too-large'],
  ...['null', 'true', '1', '"text"', '[]', '{}', '[[{}]]'].map((body): (typeof BODIES)[number] => [
    body,
    body,
    422,
    'invalid-payment'
  ]),
  ...Object.keys(order()).flatMap((field) =>
    [undefined, null, 1, true, {}, [], ''].map((value): (typeof BODIES)[number] => [
      `${field} = ${JSON.stringify(value)}`,
      json({ [field]: value }),
      422,
      'invalid-payment'
    ])
  ),
  ...[
    '0',
    '0.00',
    '-1',
    '+1',
    '1.',
    '.5',
    '1e3',
    '0x10',
    '1,00',
    ' 1',
    '1.001',
    '٣',
    '1000000000.00',
    'NaN'
  ].map((amount): (typeof BODIES)[number] => [`amount ${amount}`, json({ amount }), 422, 'invalid-amount']),
  ['digits without end', json({ amount: '9'.repeat(60_000) }), 422, 'invalid-amount'],
  ['a foreign currency', json({ currency: 'USD' }), 422, 'currency-not-supported'],
  ['a currency in lower case', json({ currency: 'eur' }), 422, 'invalid-payment'],
  ['a reference with a space', json({ reference: 'a b' }), 422, 'invalid-payment'],
  ['a reference with a newline', json({ reference: 'a\n' }), 422, 'invalid-payment'],
  ['a reference of 65 characters', json({ reference: 'x'.repeat(65) }), 422, 'invalid-payment'],
  ['an IBAN with spaces', json({ counterparty_iban: 'DE89 3704 0044 0532 0130 00' }), 422, 'invalid-payment'],
  ['a BIC of 9 characters', json({ counterparty_bic: 'CRLYFRPPT' }), 422, 'invalid-payment'],
  ['a description of 141 characters', json({ description: 'x'.repeat(141) }), 422, 'invalid-payment'],
  ['an unknown field', json({ amout: '1.00' }), 422, 'invalid-payment'],
  ['a field named __proto__', `{"__proto__":{},${json({}).slice(1)}`, 422, 'invalid-payment']
]

const ROUTES: [method: string, path: string, status: number, reason: string][] = [
  ['GET', '/', 404, 'not-found'],
  ['GET', '/paymentsx', 404, 'not-found'],
  ['POST', '/health/x', 404, 'not-found'],
  ['DELETE', '/payments', 405, 'method-not-allowed'],
  ['PUT', '/payments/payment-1', 405, 'method-not-allowed'],
  ['POST', '/payments/payment-1', 405, 'method-not-allowed'],
  ['POST', '/health', 405, 'method-not-allowed'],
  ['POST', '/statement', 405, 'method-not-allowed'],
  ['GET', '/statement/1', 404, 'not-found'],
  ['GET', '/statement?limit=0', 400, 'invalid-limit'],
  ['GET', '/statement?cursor=cGxhY2U6OTk', 400, 'invalid-cursor'],
  ['DELETE', '/scenarios', 405, 'method-not-allowed'],
  ['GET', '/clock/advance', 405, 'method-not-allowed'],
  ['POST', '/clock', 404, 'not-found'],
  ['GET', '/payments/', 404, 'payment-not-found'],
  ['GET', '/payments/%', 400, 'invalid-reference'],
  ['GET', '/payments/%ff', 400, 'invalid-reference'],
  ['GET', '/payments/__proto__', 404, 'payment-not-found'],
  ...['0', '-1', '1001', '1.5', 'x', '', '1e2'].map((limit): (typeof ROUTES)[number] => [
    'GET',
    `/payments?limit=${limit}`,
    400,
    'invalid-limit'
  ]),
  ...['', 'x', '%', 'cGxhY2U6LTE', 'cGxhY2U6OTk'].map((cursor): (typeof ROUTES)[number] => [
    'GET',
    `/payments?cursor=${cursor}`,
    400,
    'invalid-cursor'
  ])
]

function assertProblem(reply: Reply, status: number, reason: string): void {
  const { details, ...rest } = reply.body as { details: string }
  assert.deepEqual({ status: reply.status, ...rest }, { status, reason })
  assert.ok(details.length > 10)
}

describe('sandbox bank nonsense', () => {
  it('answers every senseless body with a reason and goes on', async (t) => {
    const { url } = await startBank(t)
    for (const [what, body, status, reason] of BODIES) {
      await t.test(what, async () => {
        assertProblem(await ask(`${url}/payments`, { method: 'POST', body }), status, reason)
      })
    }
    assert.equal((await list(url)).count, 0)
    assert.equal((await post(url, order())).status, 201)
  })

  it('answers every unknown route, method and query with a reason', async (t) => {
    const { url } = await startBank(t)
    for (const [method, path, status, reason] of ROUTES) {
      await t.test(`${method} ${path}`, async () => {
        assertProblem(await ask(url + path, { method }), status, reason)
      })
    }
  })

  for (const [what, bytes, expected] of [
    ['is not HTTP', 'hello?\r\n\r\n', /^HTTP\/1.1 400 [^]*"malformed-http"/],
    [
      'has an unknown method',
      'FOO /payments HTTP/1.1\r\nhost: x\r\n\r\n',
      /^HTTP\/1.1 400 [^]*"malformed-http"/
    ],
    [
      'has no path of ours',
      'GET http://x/payments HTTP/1.1\r\nhost: x\r\n\r\n',
      /^HTTP\/1.1 404 [^]*"not-found"/
    ]
  ] as const) {
    it(`answers a request that ${what}`, async (t) => {
      const { url, port } = await startBank(t)
      const socket = connect(port, '127.0.0.1')
      socket.write(bytes)
      const [answer] = (await once(socket, 'data')) as [Buffer]
      socket.destroy()
      assert.match(answer.toString(), expected)
      assert.equal((await ask(`${url}/health`)).status, 200)
    })
  }

  it('survives a client that hangs up in the middle of its body', async (t) => {
    const { url, port } = await startBank(t)
    const socket = connect(port, '127.0.0.1')
    socket.write('POST /payments HTTP/1.1\r\nhost: x\r\ncontent-length: 400\r\n\r\n{"reference"')
    socket.end().resume()
    await once(socket, 'close')
    assert.equal((await post(url, order())).status, 201)
  })
})
