import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { attemptDelaysMs } from '../../src/domain/webhook-schedule.ts'
import { deliver, prepareDeliveries, takeDeliveries } from '../../src/webhooks/deliver.ts'
import { recover, redeliver } from '../../src/webhooks/deliveries.ts'
import { changeEndpoint } from '../../src/webhooks/endpoints.ts'
import { createTestDatabase } from '../support/database.ts'
import { startReceiver } from '../support/receiver.ts'
import { aSubscriber, createSendingContext, sendDue, verify } from './stage.ts'

const database = await createTestDatabase()
const context = createSendingContext(database)
const hour = 3_600_000

describe('a sealed event', () => {
  it('is sent once to each endpoint that waits for its type, signed, with its position and links', async () => {
    const receiver = await startReceiver()
    const all = await aSubscriber(database, context, `${receiver.url}/all`)
    const some = await aSubscriber(database, context, `${receiver.url}/some`, ['bulk.completed'])
    for (const subscriber of [all, some]) {
      await subscriber.happen('bulk.accepted')
      await subscriber.happen('bulk.completed', { bulk_id: 'b1', status: 'COMPLETED' })
    }
    assert.equal(await sendDue(context), 3)
    assert.equal(await sendDue(context), 0)
    const [told] = receiver.received.filter(({ url }) => url === '/some')
    assert.ok(told)
    const { type, data } = verify(some.secret, told)
    assert.equal(type, 'bulk.completed')
    assert.deepEqual(data, {
      bulk_id: 'b1',
      status: 'COMPLETED',
      // The first is that the endpoint was opened, which is told by the audit log only.
      position: 3,
      status_url: '/transfers/bulk/b1/status',
      transfers_url: '/transfers/bulk/b1/transfers'
    })
    assert.equal((await some.deliveries())[0]?.status, 'DELIVERED')
  })

  it('is sent to the organization that it belongs to, and to no other', async () => {
    const receiver = await startReceiver()
    const one = await aSubscriber(database, context, `${receiver.url}/one`)
    await aSubscriber(database, context, `${receiver.url}/other`)
    await one.happen()
    await sendDue(context)
    assert.deepEqual(
      receiver.received.map(({ url }) => url),
      ['/one']
    )
  })

  it('is not sent to an endpoint that was made after it, and is when that recovers', async () => {
    const receiver = await startReceiver()
    const early = await aSubscriber(database, context, receiver.url)
    await database.sql(
      `update webhook_endpoint set disabled_at = now(), disabled_reason = 'owner' where organization_id = $1`,
      [early.organization_id]
    )
    await early.happen()
    await changeEndpoint(context, early.key, { enabled: true })
    assert.equal(await sendDue(context), 0)
    await recover(context, early.key, { since: new Date(Date.now() - hour), include_delivered: false })
    assert.equal(await sendDue(context), 1)
    assert.equal(receiver.received.length, 1)
  })

  it('is told although whoever prepared or sent it died', async () => {
    const receiver = await startReceiver()
    const subscriber = await aSubscriber(database, context, receiver.url)
    await subscriber.happen()
    await prepareDeliveries(context)
    assert.equal(
      (await takeDeliveries(context, { failing: false, slots: 9, per_endpoint: 4 })).length,
      1,
      'and it dies'
    )
    assert.equal(await sendDue(context), 0, 'its lease holds')
    await subscriber.pass(context.settings.WEBHOOK_TIMEOUT_MS + 15_000)
    assert.equal(await sendDue(context), 1)
    assert.equal(receiver.received.length, 1)
  })

  it('is sent again under the same webhook-id, with the same body, when its record was lost', async () => {
    const receiver = await startReceiver()
    const subscriber = await aSubscriber(database, context, receiver.url)
    await subscriber.happen('bulk.completed', { bulk_id: 'b2' })
    await prepareDeliveries(context)
    const [first] = await takeDeliveries(context, { failing: false, slots: 9, per_endpoint: 4 })
    assert.ok(first)
    await subscriber.pass(hour)
    await sendDue(context)
    await deliver(context, first)
    const [early, late] = receiver.received
    assert.equal(early?.headers['webhook-id'], late?.headers['webhook-id'])
    assert.equal(early?.body, late?.body)
    const [delivery] = await subscriber.deliveries()
    assert.deepEqual(
      [delivery?.status, delivery?.attempts],
      ['DELIVERED', 1],
      'the lost lease records nothing'
    )
  })
})

describe('a receiver', () => {
  it('that is down for three days is told by the documented schedule, and in the end', async () => {
    const receiver = await startReceiver()
    receiver.answer = (_, response) => response.writeHead(500).end('broken')
    const subscriber = await aSubscriber(database, context, receiver.url)
    await subscriber.happen()
    for (const [attempt, delay] of attemptDelaysMs.entries()) {
      if (attempt > 0) {
        const [waiting] = await subscriber.deliveries()
        const due_in = waiting?.due_in_ms ?? 0
        assert.ok(due_in > delay - 5_000 && due_in <= delay * 1.1, `attempt ${attempt} in ${due_in} ms`)
        await subscriber.pass(delay - 10_000)
        if (delay > 20_000) assert.equal(await sendDue(context), 0, 'not before its time')
        await subscriber.pass(delay * 0.1 + 10_000)
      }
      if (attempt === 9) receiver.answer = (_, response) => response.writeHead(200).end()
      assert.equal(await sendDue(context), 1, `attempt ${attempt}`)
    }
    const [delivery] = await subscriber.deliveries()
    assert.deepEqual([delivery?.status, delivery?.attempts], ['DELIVERED', 10])
    assert.equal(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size, 1)
    assert.equal((await subscriber.endpoint())['failing_since'], null)
    for (const received of receiver.received) verify(subscriber.secret, received)
  })

  it('that never answers well has failed after ten attempts, and can have it again', async () => {
    const receiver = await startReceiver()
    receiver.answer = (_, response) => response.writeHead(404).end()
    const subscriber = await aSubscriber(database, context, receiver.url)
    await subscriber.happen()
    let attempts = 0
    for (let round = 0; round < 12; round++) {
      attempts += await sendDue(context)
      await subscriber.pass(round < 8 ? 25 * hour : 30 * hour)
      await database.sql('update webhook_endpoint set failing_since = now() where organization_id = $1', [
        subscriber.organization_id
      ])
    }
    assert.equal(attempts, 10)
    const [failed] = await subscriber.deliveries()
    assert.deepEqual([failed?.status, failed?.due_in_ms], ['FAILED', null])
    receiver.answer = (_, response) => response.writeHead(204).end()
    await redeliver(context, subscriber.organization_id, failed!.webhook_id)
    await sendDue(context)
    const [again] = await subscriber.deliveries()
    assert.deepEqual([again?.status, again?.attempts], ['DELIVERED', 11])
    assert.equal(receiver.received.at(-1)?.headers['webhook-id'], failed?.webhook_id)
  })

  it('that fails for five days is disabled, and says why; what it missed can be recovered', async () => {
    const receiver = await startReceiver()
    receiver.answer = (_, response) => response.writeHead(503).end()
    const subscriber = await aSubscriber(database, context, receiver.url)
    await subscriber.happen()
    await sendDue(context)
    await subscriber.pass(5 * 24 * hour + 1000)
    await subscriber.happen()
    await sendDue(context)
    const endpoint = await subscriber.endpoint()
    assert.deepEqual([endpoint['disabled_reason'], endpoint['last_failure']], ['failing', 'http-503'])
    assert.deepEqual(
      (await subscriber.deliveries()).map(({ status }) => status),
      ['FAILED', 'FAILED']
    )
    await subscriber.happen()
    assert.equal(await sendDue(context), 0)
    receiver.answer = (_, response) => response.writeHead(200).end()
    await changeEndpoint(context, subscriber.key, { enabled: true })
    await recover(context, subscriber.key, { since: new Date(Date.now() - hour), include_delivered: false })
    assert.equal(await sendDue(context), 3)
    assert.deepEqual(
      (await subscriber.deliveries()).map(({ status }) => status),
      ['DELIVERED', 'DELIVERED', 'DELIVERED']
    )
  })

  it('that answers 410 is disabled at once', async () => {
    const receiver = await startReceiver()
    receiver.answer = (_, response) => response.writeHead(410).end()
    const subscriber = await aSubscriber(database, context, receiver.url)
    await subscriber.happen()
    await sendDue(context)
    assert.equal((await subscriber.endpoint())['disabled_reason'], 'gone')
    assert.deepEqual(
      (await subscriber.deliveries()).map(({ status, attempts }) => [status, attempts]),
      [['FAILED', 1]]
    )
    assert.equal(
      (await redeliver(context, subscriber.organization_id, (await subscriber.deliveries())[0]!.webhook_id))
        .outcome,
      'disabled'
    )
  })

  it('that answers 429 with Retry-After is left alone until then, with everything', async () => {
    const receiver = await startReceiver()
    receiver.answer = (_, response) => response.writeHead(429, { 'retry-after': '3600' }).end()
    const subscriber = await aSubscriber(database, context, receiver.url)
    await subscriber.happen()
    await sendDue(context)
    receiver.answer = (_, response) => response.writeHead(200).end()
    await subscriber.happen()
    await subscriber.pass(hour - 10_000)
    assert.equal(await sendDue(context), 0)
    await subscriber.pass(10_000)
    assert.equal(await sendDue(context), 2)
  })

  it('that redirects, hangs up, says nothing or cannot be resolved to an allowed address fails, and is tried again', async () => {
    const receiver = await startReceiver()
    const names = new Map([['rebinding.example', ['127.0.0.1', '169.254.169.254']]])
    const own = createSendingContext(database, {
      resolve: (name) => Promise.resolve(names.get(name) ?? []),
      settings: { WEBHOOK_TIMEOUT_MS: 300 }
    })
    const cases = [
      { url: receiver.url, status: 302, cause: 'http-302' },
      { url: receiver.url, status: 'hang up', cause: 'UND_ERR_SOCKET' },
      { url: receiver.url, status: 'silence', cause: 'timeout' },
      { url: `http://rebinding.example:${receiver.port}`, status: 200, cause: 'address-not-allowed' },
      { url: `http://nobody.example:${receiver.port}`, status: 200, cause: 'name-not-resolved' }
    ]
    for (const { url, status, cause } of cases) {
      receiver.answer = (_, response) => {
        if (status === 'hang up') response.destroy()
        else if (typeof status === 'number') response.writeHead(status, { location: '/elsewhere' }).end()
      }
      const subscriber = await aSubscriber(database, own, url)
      await subscriber.happen()
      await sendDue(own)
      const [delivery] = await subscriber.deliveries()
      assert.deepEqual([delivery?.status, delivery?.attempts], ['PENDING', 1], cause)
      assert.equal((await subscriber.endpoint())['last_failure'], cause)
    }
    assert.deepEqual(
      receiver.received.map(({ url }) => url),
      ['/', '/', '/'],
      'no redirect was followed'
    )
  })

  it('that answers 200 and 50 MB, or 200 and hangs up, has taken it', async () => {
    const receiver = await startReceiver()
    receiver.answer = (_, response) => {
      response.on('error', () => undefined)
      response.writeHead(200).end(Buffer.alloc(50 * 1024 * 1024, 'x'))
    }
    const subscriber = await aSubscriber(database, context, receiver.url)
    await subscriber.happen()
    await sendDue(context)
    receiver.answer = (_, response) => {
      response.writeHead(200).write('tha')
      setImmediate(() => response.destroy())
    }
    await subscriber.happen()
    await sendDue(context)
    assert.deepEqual(
      (await subscriber.deliveries()).map(({ status }) => status),
      ['DELIVERED', 'DELIVERED']
    )
    const kept = await database.sql<{ size: number }>(
      'select length(answer) as size from webhook_attempt where organization_id = $1 order by delivery_no',
      [subscriber.organization_id]
    )
    assert.deepEqual(
      kept.map(({ size }) => size),
      [500, 3]
    )
  })
})
