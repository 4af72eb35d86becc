import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { describe, it, type TestContext } from 'node:test'
import { Dispatcher } from '../../src/webhooks/dispatcher.ts'
import { createTestDatabase } from '../support/database.ts'
import { patienceMs } from '../support/patience.ts'
import { startReceiver } from '../support/receiver.ts'
import { aSubscriber, createSendingContext } from './stage.ts'

const database = await createTestDatabase()
const settings = { POLL_MS: 50, WEBHOOK_TIMEOUT_MS: 600_000, WEBHOOK_CONNECTIONS: 8 }
const context = createSendingContext(database, { settings })

describe('of eight slots', () => {
  for (const hanging of ['failing', 'working'] as const)
    it(
      `${hanging} endpoints that hang have four, and the others are told beside them`,
      { timeout: patienceMs },
      (t) => fill(hanging, t)
    )
})

async function fill(kind: 'failing' | 'working', t: TestContext): Promise<void> {
  const { signal } = t
  const receiver = await startReceiver()
  const looks = new EventEmitter()
  const hung: ServerResponse[] = []
  let told = 0
  receiver.answer = ({ url }, response) => {
    if (url === '/hangs') hung.push(response)
    else {
      told += 1
      response.writeHead(204).end()
    }
    looks.emit('look')
  }
  const open = async (path: string, isFailing: boolean) => {
    const subscriber = await aSubscriber(database, context, receiver.url + path)
    if (isFailing)
      await database.sql('update webhook_endpoint set failing_since = now() where organization_id = $1', [
        subscriber.organization_id
      ])
    await subscriber.happen()
  }
  for (let nr = 0; nr < 9; nr++) await open('/hangs', kind === 'failing')
  const dispatcher = new Dispatcher(context)
  dispatcher.start()
  t.after(async () => {
    const stopped = dispatcher.stop()
    for (const response of hung) response.destroy()
    await stopped
    await database.sql(`update webhook_endpoint set disabled_at = now(), disabled_reason = 'owner'`)
  })
  while (hung.length < 4) await once(looks, 'look', { signal })
  await open('/answers', kind !== 'failing')
  while (told === 0 && hung.length === 4) await once(looks, 'look', { signal })
  assert.deepEqual({ hung: hung.length, told }, { hung: 4, told: 1 })
}
