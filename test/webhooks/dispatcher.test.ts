import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { it } from 'node:test'
import { openDatabase } from '../../src/database/database.ts'
import { takeDeliveries } from '../../src/webhooks/deliver.ts'
import { purgeDeliveries } from '../../src/webhooks/dispatch-queries.ts'
import { Dispatcher } from '../../src/webhooks/dispatcher.ts'
import { createTestDatabase } from '../support/database.ts'
import { patienceMs } from '../support/patience.ts'
import { startReceiver } from '../support/receiver.ts'
import { aSubscriber, createSendingContext, sendDue } from './stage.ts'

const database = await createTestDatabase()

it(
  'a hundred endpoints that hang do not delay another, neither when they are new nor when they fail',
  { timeout: patienceMs },
  async () => {
    const receiver = await startReceiver()
    const hanging: ServerResponse[] = []
    const looks: (() => void)[] = []
    let quickOnes = 0
    receiver.answer = ({ url }, response) => {
      if (url.startsWith('/slow')) hanging.push(response)
      else {
        quickOnes += 1
        response.writeHead(204).end()
      }
      for (const look of looks.splice(0)) look()
    }
    const until = async (isSo: () => boolean) => {
      while (!isSo()) await new Promise<void>((resolve) => looks.push(resolve))
    }
    const context = createSendingContext(database, { settings: { POLL_MS: 50, WEBHOOK_TIMEOUT_MS: 600_000 } })
    const slow = await Promise.all(
      Array.from({ length: 100 }, (_, nr) => aSubscriber(database, context, `${receiver.url}/slow/${nr}`))
    )
    const quick = await aSubscriber(database, context, `${receiver.url}/quick`)
    for (const subscriber of [...slow, ...slow, ...slow]) await subscriber.happen()
    // Under the role of a worker, as it runs.
    const db = openDatabase({
      url: database.url,
      role: 'bulkhead_worker',
      maxConnections: 4,
      applicationName: 'bulkhead-test'
    })
    const dispatcher = new Dispatcher({ ...context, db })
    dispatcher.start()

    await until(() => hanging.length >= 100)
    await quick.happen()
    await until(() => quickOnes === 1)

    for (const response of hanging.splice(0)) response.writeHead(500).end()
    await until(() => hanging.length >= 100)
    await quick.happen()
    await until(() => quickOnes === 2)

    const stopped = dispatcher.stop()
    for (const response of hanging) response.destroy()
    await stopped
    await db.close()
    const { values } = await context.measurements.webhookAttempts.get()
    assert.equal(values.find(({ labels }) => labels.outcome === 'delivered')?.value, 2)
  }
)

it('of one endpoint only a few deliveries are under way at one time, and the first of each comes first', async () => {
  const context = createSendingContext(database)
  const many = await aSubscriber(database, context, 'http://127.0.0.1:1/many')
  const one = await aSubscriber(database, context, 'http://127.0.0.1:1/one')
  const test = `insert into webhook_delivery (organization_id, endpoint_no, type)
                select $1, $2, 'webhook.test' from generate_series(1, $3)`
  await database.sql(test, [many.organization_id, many.key.endpoint_no, 10])
  await database.sql(test, [one.organization_id, one.key.endpoint_no, 1])
  const take = async (slots: number) =>
    (await takeDeliveries(context, { failing: false, slots, per_endpoint: 4 })).map(({ url }) =>
      url.slice(19)
    )
  assert.deepEqual((await take(3)).toSorted(), ['many', 'many', 'one'])
  assert.deepEqual(await take(50), ['many', 'many'])
  assert.deepEqual(await take(50), [])
})

it('deliveries that ended are forgotten after 30 days, with their attempts; those that go on are not', async () => {
  const receiver = await startReceiver()
  const context = createSendingContext(database)
  const subscriber = await aSubscriber(database, context, receiver.url)
  for (const status of [200, 500, 200]) {
    receiver.answer = (_, response) => response.writeHead(status).end()
    await subscriber.happen()
    await sendDue(context)
    if (status === 500) await subscriber.pass(31 * 24 * 3_600_000)
    await database.sql(
      `update webhook_delivery set due_at = now() + interval '1 hour' where due_at is not null`
    )
  }
  await purgeDeliveries(database.db, { days: 30, limit: 1_000 })
  const kept = (await subscriber.deliveries()).map(({ status, attempts }) => [status, attempts])
  assert.deepEqual(kept, [
    ['PENDING', 1],
    ['DELIVERED', 1]
  ])
  const attempts = await database.sql('select from webhook_attempt where organization_id = $1', [
    subscriber.organization_id
  ])
  assert.equal(attempts.length, 2)
})
