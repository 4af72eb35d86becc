import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { sealEvents } from '../../src/events/seal-events.ts'
import { listen } from '../support/api.ts'
import { aBulk, anOrganization } from '../support/builders.ts'
import { createTestDatabase } from '../support/database.ts'
import { startReceiver } from '../support/receiver.ts'
import { createSendingContext, sendDue, verify } from '../webhooks/stage.ts'

const database = await createTestDatabase()
const context = createSendingContext(database)

/** The API of an organization of its own. */
async function anApi() {
  const organizationId = await anOrganization(database.db)
  const api = await listen(context, { organizationId })
  const send = async (method: string, path: string, body?: unknown) =>
    api.ask(path, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    })
  const open = async (body: object) => (await api.post('/webhooks/endpoints', body)).body
  return { ...api, send, open }
}

describe('/webhooks/endpoints', () => {
  it('tells a secret when it is made, and never again', async () => {
    const { open, ask } = await anApi()
    const { secret, ...endpoint } = await open({ url: 'https://example.com/hook', description: 'ERP' })
    assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
    const { endpoint_no, created_at, ...rest } = endpoint
    assert.ok(endpoint_no > 0 && Date.parse(created_at))
    assert.deepEqual(rest, {
      url: 'https://example.com/hook',
      description: 'ERP',
      event_types: null,
      status: 'ENABLED',
      disabled_at: null,
      disabled_reason: null,
      failing_since: null,
      last_failure: null,
      paused_until: null,
      old_secret_until: null,
      pending_deliveries: 0
    })
    assert.deepEqual((await ask(`/webhooks/endpoints/${endpoint_no}`)).body, endpoint)
    assert.deepEqual((await ask('/webhooks/endpoints')).body.data, [endpoint])
  })

  it('changes what is given and nothing else; removes for good', async () => {
    const { open, ask, send } = await anApi()
    const { endpoint_no } = await open({ url: 'https://example.com/', event_types: ['bulk.completed'] })
    const path = `/webhooks/endpoints/${endpoint_no}`
    const off = (await send('PATCH', path, { enabled: false })).body
    assert.deepEqual(
      [off.status, off.disabled_reason, off.event_types],
      ['DISABLED', 'owner', ['bulk.completed']]
    )
    const on = (await send('PATCH', path, { enabled: true, event_types: null, url: 'https://example.org' }))
      .body
    assert.deepEqual(
      [on.status, on.disabled_at, on.event_types, on.url],
      ['ENABLED', null, null, 'https://example.org/']
    )
    assert.equal((await send('DELETE', path)).status, 204)
    for (const answer of [await ask(path), await send('DELETE', path), await send('PATCH', path, {})])
      assert.deepEqual([answer.status, answer.body.error.reason], [404, 'not-found'])
    assert.deepEqual((await ask('/webhooks/endpoints')).body.data, [])
  })

  it('rotates a secret and says until when the old one counts', async () => {
    const { open, send, ask } = await anApi()
    const made = await open({ url: 'https://example.com/' })
    const path = `/webhooks/endpoints/${made.endpoint_no}`
    const { status, body } = await send('POST', `${path}/rotate-secret`, { old_secret_counts_hours: 2 })
    assert.equal(status, 200)
    assert.notEqual(body.secret, made.secret)
    const hours = (Date.parse(body.old_secret_until) - Date.now()) / 3_600_000
    assert.ok(hours > 1.99 && hours < 2.01)
    assert.equal((await ask(path)).body.old_secret_until, body.old_secret_until)
  })

  it('refuses what is not right, and says how to mend it', async () => {
    const { post } = await anApi()
    for (const [url, code] of Object.entries({
      'http://10.0.0.1/': 'address-not-allowed',
      'http://169.254.169.254/latest': 'address-not-allowed',
      'ftp://example.com/': 'scheme-not-allowed',
      'https://me:secret@example.com/': 'credentials-in-url',
      nonsense: 'url-invalid'
    })) {
      const { status, body } = await post('/webhooks/endpoints', { url })
      assert.deepEqual([status, body.errors[0].pointer, body.errors[0].code], [422, '/url', code], url)
    }
    const wrong = [
      {},
      { url: 1 },
      { url: 'https://a.b/\u0000' },
      { url: 'https://a.b', x: 1 },
      { url: 'https://a.b', event_types: [] },
      { url: 'https://a.b', event_types: ['bulk.unheard_of'] },
      { url: 'https://a.b', description: 'a\u0000b' },
      { url: `https://a.b/${'x'.repeat(2000)}` }
    ]
    for (const body of wrong) {
      const answer = await post('/webhooks/endpoints', body)
      assert.deepEqual(
        [answer.status, answer.body.error.reason],
        [422, 'invalid-request'],
        JSON.stringify(body)
      )
    }
  })

  it('takes twenty and no more', async () => {
    const { post } = await anApi()
    const made = await Promise.all(
      Array.from({ length: 19 }, (_, nr) => post('/webhooks/endpoints', { url: `https://example.com/${nr}` }))
    )
    assert.ok(made.every(({ status }) => status === 201))
    assert.equal((await post('/webhooks/endpoints', { url: 'https://example.com/20' })).status, 201)
    const { status, body } = await post('/webhooks/endpoints', { url: 'https://example.com/21' })
    assert.deepEqual([status, body.error.reason], [409, 'too-many-endpoints'])
  })
})

describe('/webhooks/deliveries', () => {
  it('shows what was sent and answered, and sends it again under its id', async () => {
    const receiver = await startReceiver()
    receiver.answer = (_, response) => response.writeHead(500).end('no room')
    const { open, ask, post } = await anApi()
    const endpoint = await open({ url: receiver.url })
    const asked = await post(`/webhooks/endpoints/${endpoint.endpoint_no}/test`, undefined)
    assert.equal(asked.status, 202)
    await sendDue(context)
    const path = `/webhooks/deliveries/${asked.body.webhook_id}`
    const failed = (await ask(path)).body
    assert.deepEqual([failed.status, failed.type, failed.attempt_count], ['PENDING', 'webhook.test', 1])
    assert.deepEqual(
      [failed.attempts[0].http_status, failed.attempts[0].cause, failed.attempts[0].answer],
      [500, 'http-500', 'no room']
    )
    assert.deepEqual(failed.request, { url: `${receiver.url}/`, body: receiver.received[0]?.body })
    assert.ok(!JSON.stringify(failed).includes(endpoint.secret.slice(6)))

    receiver.answer = (_, response) => response.writeHead(200).end()
    assert.equal((await post(`${path}/redeliver`, undefined)).status, 202)
    await sendDue(context)
    const { attempts, request, ...delivered } = (await ask(path)).body
    assert.equal(attempts.length, 2)
    assert.equal(delivered.status, 'DELIVERED')
    assert.deepEqual((await ask('/webhooks/deliveries?status=DELIVERED')).body.data, [delivered])
    assert.deepEqual((await ask('/webhooks/deliveries?status=FAILED')).body.data, [])
    assert.equal(receiver.received[1]?.headers['webhook-id'], asked.body.webhook_id)
    assert.equal(receiver.received[1]?.body, request.body)
  })

  it('recovers what failed since a time', async () => {
    const { open, ask, post, send } = await anApi()
    const receiver = await startReceiver()
    receiver.answer = (_, response) => response.writeHead(410).end()
    const { endpoint_no } = await open({ url: receiver.url })
    await post('/transfers/bulk', aBulk())
    await sealEvents(database.db)
    await sendDue(context)
    const path = `/webhooks/endpoints/${endpoint_no}`
    const recovery = { since: new Date(Date.now() - 3_600_000).toISOString() }
    const refused = await post(`${path}/recover`, recovery)
    assert.deepEqual([refused.status, refused.body.error.reason], [409, 'endpoint-disabled'])
    assert.equal((await ask(path)).body.disabled_reason, 'gone')
    receiver.answer = (_, response) => response.writeHead(200).end()
    await send('PATCH', path, { enabled: true })
    const { status, body } = await post(`${path}/recover`, recovery)
    assert.deepEqual([status, body], [202, { restarted: 1 }])
    await sendDue(context)
    assert.equal((await post(`${path}/recover`, { since: '9999-12-31T23:59:59-23:59' })).status, 202)
    for (const since of ['yesterday', '2026-02-30T00:00:00Z', 1, null])
      assert.equal((await post(`${path}/recover`, { since })).status, 422)
    assert.deepEqual(
      (await ask('/webhooks/deliveries')).body.data.map((row: any) => row.status),
      ['DELIVERED']
    )
  })

  it('recovers nothing from before the 30 days for which deliveries are kept, and says where it is', async () => {
    const { open, post } = await anApi()
    const { endpoint_no } = await open({ url: 'https://example.com/' })
    const path = `/webhooks/endpoints/${endpoint_no}/recover`
    const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString()
    assert.equal((await post(path, { since: daysAgo(29.9) })).status, 202)
    for (const since of [daysAgo(30.1), '0000-01-01T00:00:00Z']) {
      const { status, body } = await post(path, { since })
      assert.deepEqual([status, body.error.reason], [422, 'invalid-request'])
      const [{ pointer, code, detail }] = body.errors
      assert.deepEqual([pointer, code], ['/since', 'beyond-retention'])
      assert.match(
        detail,
        /^Deliveries are kept for 30 days: give \S+ or later\. What is older is in GET \/events\.$/
      )
    }
  })

  it('shows and does nothing of another organization', async () => {
    const mine = await anApi()
    const theirs = await anApi()
    const { endpoint_no } = await mine.open({ url: (await startReceiver()).url })
    const { webhook_id } = (await mine.post(`/webhooks/endpoints/${endpoint_no}/test`, undefined)).body
    const endpoint = `/webhooks/endpoints/${endpoint_no}`
    const answers = [
      await theirs.ask(endpoint),
      await theirs.send('PATCH', endpoint, { enabled: false }),
      await theirs.send('DELETE', endpoint),
      await theirs.send('POST', `${endpoint}/rotate-secret`, {}),
      await theirs.send('POST', `${endpoint}/test`),
      await theirs.send('POST', `${endpoint}/recover`, { since: new Date().toISOString() }),
      await theirs.ask(`/webhooks/deliveries/${webhook_id}`),
      await theirs.send('POST', `/webhooks/deliveries/${webhook_id}/redeliver`)
    ]
    for (const { status, body } of answers) assert.deepEqual([status, body.error.reason], [404, 'not-found'])
    assert.deepEqual((await theirs.ask('/webhooks/deliveries')).body.data, [])
    assert.equal((await mine.ask(endpoint)).body.status, 'ENABLED')
  })

  it('answers odd ids and parameters with a refusal', async () => {
    const { ask } = await anApi()
    for (const path of ['endpoints/x', 'endpoints/0', 'endpoints/99999999999999999999', 'deliveries?x=1'])
      assert.equal((await ask(`/webhooks/${path}`)).status, 400, path)
    for (const path of [
      'endpoints/9007199254740991',
      'deliveries/%00',
      'deliveries/msg_x',
      'deliveries/%F0%9F%92%A9'
    ])
      assert.equal((await ask(`/webhooks/${path}`)).status, 404, path)
  })
})

it('the end of a bulk is told after its commit, once, and says what GET says', async () => {
  const receiver = await startReceiver()
  const { open, ask, post } = await anApi()
  const { secret } = await open({ url: receiver.url, event_types: ['bulk.completed'] })
  const bulk = aBulk({ transfers: 3, amount: '12.34' })
  await post('/transfers/bulk', bulk)
  await sealEvents(database.db)
  await sendDue(context)
  assert.equal(receiver.received.length, 0, 'it has not ended')
  for (let claim; (claim = await claimWork(context, 'test'));) await executeClaim(context, claim)
  await sealEvents(database.db)
  await sendDue(context)
  const [received] = receiver.received
  assert.ok(received)
  const { type, data } = verify(secret, received)
  const status = (await ask(`/transfers/bulk/${bulk.request_id}/status`)).body
  const { position, status_url, transfers_url, ...told } = data
  assert.equal(type, 'bulk.completed')
  assert.ok(Number(position) > 1)
  assert.equal(status.status, 'COMPLETED')
  for (const [key, value] of Object.entries(told)) assert.deepEqual(value, status[key], key)
  assert.deepEqual((await ask(String(status_url))).body, status)
  assert.equal((await ask(String(transfers_url))).body.data.length, 3)
  await sendDue(context)
  assert.equal(receiver.received.length, 1)
})
