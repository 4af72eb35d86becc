import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readSettings } from '../../src/settings.ts'
import { listIncidents } from '../../src/incidents/incidents.ts'
import { sweep } from '../../src/reconciliation/sweep.ts'
import { readDelivery, sendTest } from '../../src/webhooks/deliveries.ts'
import { changeEndpoint, removeEndpoint, rotateSecret } from '../../src/webhooks/endpoints.ts'
import { createTestDatabase } from '../support/database.ts'
import { startReceiver } from '../support/receiver.ts'
import { aSubscriber, createSendingContext, sendDue, verify } from './stage.ts'

const database = await createTestDatabase()
const context = createSendingContext(database)
const hour = 3_600_000

describe('a secret', () => {
  it('that was rotated signs beside the new one while it counts, and not after', async () => {
    const receiver = await startReceiver()
    const subscriber = await aSubscriber(database, context, receiver.url)
    const rotated = await rotateSecret(context, subscriber.key, 24)
    assert.ok(rotated)
    await subscriber.happen()
    await sendDue(context)
    await subscriber.pass(24 * hour + 1000)
    await subscriber.happen()
    await sendDue(context)
    const [during, after] = receiver.received
    assert.ok(during && after)
    verify(subscriber.secret, during)
    verify(rotated.secret, during)
    verify(rotated.secret, after)
    assert.throws(() => verify(subscriber.secret, after))
  })

  it('is sealed in the database when there is a key', async () => {
    const receiver = await startReceiver()
    const settings = { WEBHOOK_SECRET_KEY: Buffer.alloc(32, 7).toString('base64') }
    const own = createSendingContext(database, { settings })
    const subscriber = await aSubscriber(database, own, receiver.url)
    const { secret } = await subscriber.endpoint()
    assert.ok(!(secret as Buffer).includes(Buffer.from(subscriber.secret.slice(6), 'base64')))
    await subscriber.happen()
    await sendDue(own)
    verify(subscriber.secret, receiver.received[0]!)
  })
})

describe('a secret that no key opens', () => {
  const WEBHOOK_SECRET_KEY = Buffer.alloc(32, 7).toString('base64')
  const keyed = createSendingContext(database, { settings: { WEBHOOK_SECRET_KEY } })
  const otherKey = Buffer.alloc(32, 8).toString('base64')
  const lost = createSendingContext(database, { settings: { WEBHOOK_SECRET_KEY: otherKey } })

  it('fails attempts that its owner sees, sends nothing, and is told when the key is back', async () => {
    const receiver = await startReceiver()
    const subscriber = await aSubscriber(database, keyed, receiver.url)
    await subscriber.happen()
    assert.equal(await sendDue(lost), 1)
    const [delivery] = await subscriber.deliveries()
    assert.deepEqual([delivery?.status, delivery?.attempts], ['PENDING', 1])
    assert.equal((await subscriber.endpoint())['last_failure'], 'secret-not-readable')
    const shown = await readDelivery(database.db, subscriber.organization_id, delivery?.webhook_id ?? '')
    assert.deepEqual(
      shown?.attempts.map(({ http_status, cause }) => [http_status, cause]),
      [[null, 'secret-not-readable']]
    )
    assert.equal(receiver.received.length, 0)
    await subscriber.pass(6_000)
    assert.equal(await sendDue(keyed), 1)
    verify(subscriber.secret, receiver.received[0]!)
    assert.equal((await subscriber.deliveries())[0]?.status, 'DELIVERED')
  })

  it('disables its endpoint after five days, and an alarm says why', async () => {
    const subscriber = await aSubscriber(database, keyed, 'http://127.0.0.1:1/')
    const { organization_id } = subscriber
    const open = async () =>
      (await listIncidents(database.db, { organization_id, before_no: null, open: true, limit: 10 })).map(
        ({ kind, details }) => `${kind}: ${details.replace(/since .*;/, 'since …;')}`
      )
    await subscriber.happen()
    await sendDue(lost)
    await sweep(lost)
    assert.deepEqual(await open(), [
      'webhook-unsigned: failing since …; its last failure: secret-not-readable'
    ])
    await subscriber.pass(121 * hour)
    await sendDue(lost)
    assert.equal((await subscriber.endpoint())['disabled_reason'], 'failing')
    await sweep(lost)
    assert.deepEqual(await open(), [
      'webhook-disabled: disabled (failing) since …; its last failure: secret-not-readable'
    ])
    await subscriber.pass(1_000)
    assert.equal(await sendDue(lost), 0, 'it is not tried any more')
    await changeEndpoint(lost, subscriber.key, { enabled: true })
    await sweep(lost)
    assert.deepEqual(await open(), [])
  })

  it('can be replaced: the new one signs, without the one that cannot be read', async () => {
    const receiver = await startReceiver()
    const subscriber = await aSubscriber(database, keyed, receiver.url)
    const rotated = await rotateSecret(lost, subscriber.key, 24)
    await subscriber.happen()
    await sendDue(lost)
    const [received] = receiver.received
    assert.ok(rotated && received)
    verify(rotated.secret, received)
    assert.equal(String(received.headers['webhook-signature']).split(' ').length, 1)
  })
})

it('an endpoint that wants no more raises an alarm for a week, and none once it is removed', async () => {
  const receiver = await startReceiver()
  receiver.answer = (_, response) => response.writeHead(410).end()
  for (const end of ['a week', 'removed']) {
    const subscriber = await aSubscriber(database, context, receiver.url)
    const { organization_id, key } = subscriber
    const open = async () => {
      await sweep(context)
      const query = { organization_id, before_no: null, open: true, limit: 10 }
      return (await listIncidents(database.db, query)).map(({ subject }) => subject)
    }
    await subscriber.happen()
    await sendDue(context)
    assert.deepEqual(await open(), [`webhook endpoint ${key.endpoint_no} of organization ${organization_id}`])
    if (end === 'removed') await removeEndpoint(context, key)
    else await subscriber.pass(169 * hour)
    assert.deepEqual(await open(), [], end)
  }
})

it('live mode does not start without a key for secrets, and no mode with ranges or keys that are none', () => {
  const errorsOf = (environment: Record<string, string>) => {
    const read = readSettings(environment)
    return read.outcome === 'invalid' ? read.errors.map((error) => error.split(':')[0]) : []
  }
  const live = { MODE: 'live', BANK_URL: 'https://bank.example' }
  const WEBHOOK_SECRET_KEY = Buffer.alloc(32).toString('base64')
  assert.deepEqual(errorsOf(live), ['WEBHOOK_SECRET_KEY'])
  assert.deepEqual(errorsOf({ ...live, WEBHOOK_SECRET_KEY }), [])
  assert.deepEqual(errorsOf({ WEBHOOK_SECRET_KEY: 'short' }), ['WEBHOOK_SECRET_KEY'])
  assert.deepEqual(errorsOf({ WEBHOOK_ALLOW_PRIVATE: '10.0.0.0' }), ['WEBHOOK_ALLOW_PRIVATE'])
})

it('a test goes the way that events go', async () => {
  const receiver = await startReceiver()
  const subscriber = await aSubscriber(database, context, receiver.url, ['bulk.completed'])
  const asked = await sendTest(context, subscriber.key)
  assert.equal(asked.outcome, 'asked')
  await sendDue(context)
  assert.equal(verify(subscriber.secret, receiver.received[0]!).type, 'webhook.test')
})
