import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, it } from 'node:test'
import { systemClock, type Clock } from '../../src/context.ts'
import { listen } from '../support/api.ts'
import { aBulk, anOrganization } from '../support/builders.ts'
import { createTestContext, type TestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'
import { aKey, bearer } from '../support/keys.ts'
import { patienceMs } from '../support/patience.ts'
import { openRaw } from '../support/raw.ts'

const database = await createTestDatabase()

/** An API that finds out who calls only when it is let to. */
async function anApi(change: Partial<TestContext> = {}) {
  const organizationId = await anOrganization(database.db)
  const context = createTestContext(database, { BIG_BODIES_AT_ONCE: 1 })
  let identify: Promise<unknown> = Promise.resolve()
  let asked: () => void = () => undefined
  const db: TestContext['db'] = {
    ...database.db,
    query: async (query) => {
      asked()
      await identify
      return database.db.query(query)
    }
  }
  const api = await listen({ ...context, ...change, db }, { organizationId, demo: false })
  const headers = bearer(await aKey(database, organizationId))
  /** Sends the head of a request and goes before it is known who sent it. */
  async function sendAndGo(head: string): Promise<void> {
    const [going, isAsked] = [Promise.withResolvers<null>(), Promise.withResolvers<null>()]
    identify = going.promise
    asked = () => isAsked.resolve(null)
    const connected = once(api.server.server, 'connection') as Promise<[Socket]>
    const socket = await openRaw(api.url)
    socket.write(`${head} HTTP/1.1\r\nhost: x\r\nauthorization: ${headers.authorization}\r\n`)
    socket.write(
      head.startsWith('POST') ? 'content-type: application/json\r\ncontent-length: 100000\r\n\r\n{' : '\r\n'
    )
    const [connection] = await connected
    await isAsked.promise
    const closed = once(connection, 'close')
    socket.destroy()
    await closed
    going.resolve(null)
  }
  return { ...api, headers, sendAndGo }
}

describe('a client that goes before it is known who it is', () => {
  it("keeps no turn of its organization's big bodies", async () => {
    const { ask, headers, sendAndGo } = await anApi()
    await sendAndGo('POST /transfers/bulk')
    const answer = await ask('/transfers/bulk', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ ...aBulk(), label: 'x'.repeat(70_000) }),
      signal: AbortSignal.timeout(patienceMs)
    })
    assert.equal(answer.status, 422)
  })

  it('is not watched for', async () => {
    const looksAgain = Promise.withResolvers<string>()
    const sleep: Clock['sleep'] = (ms, signal) => {
      looksAgain.resolve('looks again')
      return systemClock.sleep(ms, signal)
    }
    const { ask, post, headers, sendAndGo } = await anApi({ clock: { ...systemClock, sleep } })
    const bulk = aBulk()
    assert.equal((await post('/transfers/bulk', bulk, headers)).status, 201)
    await sendAndGo(`GET /transfers/bulk/${bulk.request_id}/events`)
    const later = async () => {
      for (let times = 0; times < 5; times++) await ask('/accounts', { headers })
      return 'has forgotten it'
    }
    assert.equal(await Promise.race([looksAgain.promise, later()]), 'has forgotten it')
  })
})
