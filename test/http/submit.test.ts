import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { reasons } from '../../src/domain/problem.ts'
import { problemSchema } from '../../src/http/problem-answer.ts'
import { aBulk, anOrganization, aTransfer } from '../support/builders.ts'
import { listen, type Answer } from '../support/api.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const context = createTestContext(database)
const api = await listen(context, { organizationId: await anOrganization(database.db) })

/** The one error body, under the status and media type that its reason has. */
function assertProblem(answer: Answer, reason: keyof typeof reasons): void {
  assert.equal(answer.body?.error?.reason, reason, JSON.stringify(answer.body))
  assert.equal(answer.status, reasons[reason].status)
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/)
  problemSchema.strict().parse(answer.body)
  assert.equal(answer.body.detail, answer.body.error.details)
  assert.match(answer.body.trace_id, /^[0-9a-f]{32}$/)
  assert.ok(answer.headers.get('traceparent')?.includes(answer.body.trace_id))
  assert.doesNotMatch(JSON.stringify(answer.body), /select |insert |postgres|node_modules|\.ts:|FST_/i)
}

describe('POST /transfers/bulk', () => {
  it('answers 201 with where to look', async () => {
    const bulk = aBulk({ amount: '0.01' })
    const answer = await api.post('/transfers/bulk', bulk)
    assert.equal(answer.status, 201)
    assert.equal(answer.headers.get('location'), `/transfers/bulk/${bulk.request_id}`)
    assert.equal(answer.headers.get('idempotent-replayed'), null)
    assert.equal(answer.body.bulk_id, bulk.request_id)
  })

  it('answers 50 identical posts at once with the same 201, 49 of them as replays', async () => {
    const bulk = aBulk({ amount: '0.01', transfers: 20 })
    const answers = await Promise.all(Array.from({ length: 50 }, () => api.post('/transfers/bulk', bulk)))
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201])
    assert.equal(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true').length, 49)
    assert.equal(new Set(answers.map(({ body }) => JSON.stringify(body))).size, 1)
  })

  it('accepts one of 20 bulks at once of 60 % of the funds, and refuses the others in order', async () => {
    const own = await listen(context, { organizationId: await anOrganization(database.db) })
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => own.post('/transfers/bulk', aBulk({ amount: '60000' })))
    )
    assert.equal(answers.filter(({ status }) => status === 201).length, 1)
    for (const answer of answers.filter(({ status }) => status !== 201))
      assertProblem(answer, 'insufficient-account-balance')
  })

  it('answers a dry run with 200 and stores nothing', async () => {
    const bulk = aBulk({ amount: '0.01' })
    assert.equal((await api.post('/transfers/bulk?dry_run=true', bulk)).status, 200)
    assert.equal((await api.ask(`/transfers/bulk/${bulk.request_id}`)).status, 404)
    assertProblem(await api.post('/transfers/bulk?dry_run=true', aBulk({ amount: 'x' })), 'invalid-amount')
    const refused = await api.post('/transfers/bulk?dry_run=yes', bulk)
    assertProblem(refused, 'invalid-parameter')
    assert.match(refused.body.detail, /^dry_run: /)
    assertProblem(await api.post('/transfers/bulk?dryrun=true', bulk), 'invalid-parameter')
  })

  it('takes the trace id of its caller', async () => {
    const trace = '0af7651916cd43dd8448eb211c80319c'
    const answer = await api.post('/transfers/bulk', {}, { traceparent: `00-${trace}-b7ad6b7169203331-01` })
    assert.equal(answer.body.trace_id, trace)
  })
})

describe('an amount that is none', () => {
  const malformed = [
    'Infinity',
    '-Infinity',
    'NaN',
    '1e3',
    '1E30',
    '1_000',
    ' 12 ',
    '+5',
    '.5',
    '5.',
    '５',
    '١٢',
    '12,50',
    '0x10',
    '10.005',
    '9'.repeat(400)
  ]
  for (const amount of [...malformed, '0', '0.00', '-15', 15, 1e21, null, true, {}, [], ''])
    it(`is refused with its index: ${JSON.stringify(amount).slice(0, 30)}`, async () => {
      const transfers = [aTransfer({ amount: '0.01' }), { ...aTransfer(), amount }]
      const answer = await api.post('/transfers/bulk', { ...aBulk(), credit_transfers: transfers })
      const reason =
        typeof amount !== 'string' || amount === ''
          ? 'invalid-request'
          : malformed.includes(amount)
            ? 'invalid-amount'
            : 'negative-or-null-amounts'
      assertProblem(answer, reason)
      assert.deepEqual(
        answer.body.errors.map((error: { index: number; pointer: string }) => [error.index, error.pointer]),
        [[1, '/credit_transfers/1/amount']]
      )
      assert.equal(answer.body.message, 'Bulk transfer denied')
    })
})

describe('a request that is no bulk', () => {
  const json = 'application/json'
  const bodyOf = (bytes: number) => `{"label": "${'x'.repeat(bytes - 13)}"}`
  const table: [string, keyof typeof reasons, string | Buffer, string?][] = [
    ['malformed JSON', 'malformed-json', '{"request_id": '],
    ['an empty body', 'malformed-json', ''],
    ['only a word', 'malformed-json', 'hello'],
    ['a poisoned prototype', 'malformed-json', '{"__proto__": {"x": 1}}'],
    ['10 000 nested lists', 'invalid-request', '['.repeat(10_000) + ']'.repeat(10_000)],
    ['a JSON string', 'invalid-request', '"x"'],
    ['a key that is given twice', 'invalid-request', '{"request_id": "a", "request_id": "b"}'],
    ['text', 'unsupported-media-type', 'x', 'text/plain'],
    ['a form', 'unsupported-media-type', 'a=b', 'application/x-www-form-urlencoded'],
    ['no media type', 'unsupported-media-type', '{}', ''],
    ['too large a body', 'payload-too-large', bodyOf(1024 * 1024 + 1)],
    ['the largest body that is read', 'invalid-request', bodyOf(1024 * 1024)]
  ]
  for (const [what, reason, body, type = json] of table)
    it(`is refused: ${what}`, async () => {
      assertProblem(
        await api.ask('/transfers/bulk', { method: 'POST', body, headers: { 'content-type': type } }),
        reason
      )
    })

  for (const [method, path] of [
    ['GET', '/nope'],
    ['GET', '/transfers/bulk/%00/status'],
    ['GET', '/transfers/%00'],
    ['GET', '/accounts/%00'],
    ['DELETE', '/transfers/bulk'],
    ['POST', '/accounts'],
    ['GET', '/internal/jobs/transfer'],
    ['GET', '/internal/jobs/bulk']
  ] as const)
    it(`is refused: ${method} ${path}`, async () => {
      const answer = await api.ask(path, { method })
      assertProblem(answer, 'not-found')
    })

  for (const [what, reason, headers, body] of [
    [
      'bytes that are no UTF-8',
      'malformed-json',
      {},
      Buffer.from([0x7b, 0x22, 0x41, 0xe9, 0xff, 0x22, 0x3a, 0x31, 0x7d])
    ],
    [
      'another character set',
      'unsupported-media-type',
      { 'content-type': 'application/json; charset=utf-16' },
      '{}'
    ],
    ['a compressed body', 'unsupported-media-type', { 'content-encoding': 'gzip' }, '{}']
  ] as const)
    it(`is refused: ${what}`, async () => {
      const init = { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } }
      assertProblem(await api.ask('/transfers/bulk', init), reason)
    })

  for (const path of ['/transfers/', '/accounts/', '/transfers/bulk/'])
    it(`is refused: a very long name behind ${path}`, async () => {
      for (const length of [101, 501, 5000]) {
        const answer = await api.ask(path + 'a'.repeat(length))
        assert.ok([400, 404].includes(answer.status), `${answer.status} for ${length}`)
        assertProblem(answer, answer.body.error.reason)
      }
    })

  it('is told how large a body may be', async () => {
    for (const path of ['/transfers/bulk', '/nowhere'])
      assert.match((await api.post(path, bodyOf(1024 * 1024 + 1))).body.detail, /more than 1048576 bytes/)
  })

  it('is refused: a body of 70 000 unknown keys, in a short answer', async () => {
    const body = Object.fromEntries(Array.from({ length: 70_000 }, (_, index) => [`key${index}`, 1]))
    const answer = await api.post('/transfers/bulk', body)
    assertProblem(answer, 'invalid-request')
    assert.ok(answer.body.errors.length <= 110)
  })

  it('is refused: an address that cannot be decoded', async () => {
    assertProblem(await api.ask('/transfers/%'), 'invalid-parameter')
  })

  it('is refused even when it is not HTTP', async () => {
    for (const [bytes, status] of [
      ['nonsense\r\n\r\n', 400],
      [`GET / HTTP/1.1\r\nx: ${'x'.repeat(100_000)}\r\n\r\n`, 431]
    ] as const) {
      const text = await sendRaw(bytes)
      assert.ok(text.startsWith(`HTTP/1.1 ${status} `))
      problemSchema.strict().parse(JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)))
    }
  })

  it('leaves the server well', async () => {
    assert.equal((await api.ask('/health/live')).status, 200)
    assert.equal((await api.ask('/health/ready')).body.status, 'ready')
  })
})

function sendRaw(bytes: string): Promise<string> {
  const { port } = new URL(api.url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1', () => socket.write(bytes))
    let text = ''
    socket.on('data', (data) => (text += data.toString()))
    socket.on('close', () => resolve(text))
    socket.on('error', reject)
  })
}

describe('when the database is away', () => {
  it('answers 503 with Retry-After, in the one error body, and says in the readiness what is missing', async () => {
    const lost = await createTestDatabase()
    const own = await listen(createTestContext(lost), { organizationId: 1 })
    const name = new URL(lost.url).pathname.slice(1)
    await database.sql(`alter database ${name} with allow_connections false`)
    await database.sql('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name])
    const answer = await own.post('/transfers/bulk', aBulk())
    assertProblem(answer, 'unavailable')
    assert.ok(Number(answer.headers.get('retry-after')) > 0)
    const ready = await own.ask('/health/ready')
    assert.deepEqual(
      [ready.status, ready.body.checks[0]],
      [503, { name: 'database', ok: false, details: 'does not answer' }]
    )
    assert.equal((await own.ask('/health/live')).status, 200)
    await database.sql(`alter database ${name} with allow_connections true`)
    assert.equal((await own.ask('/health/ready')).status, 200)
  })
})
