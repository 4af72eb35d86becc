import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import type { Settings } from '../../src/settings.ts'
import { listen, type Answer } from '../support/api.ts'
import { aBulk, anOrganization } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'
import { aKey, bearer } from '../support/keys.ts'
import { openRaw } from '../support/raw.ts'

const database = await createTestDatabase()
const roomy = { REQUESTS_PER_MINUTE: 1000, TRANSFERS_PER_MINUTE: 1000, KEY_SHARE_PERCENT: 100 }

/** An API with these limits, and an organization with a key. */
async function anApi(settings: Partial<Settings> = {}) {
  const organizationId = await anOrganization(database.db)
  const context = createTestContext(database, { ...roomy, ...settings })
  const api = await listen(context, { organizationId, demo: false })
  return { ...api, context, headers: bearer(await aKey(database, organizationId)) }
}

function assertLimited({ status, body, headers }: Answer): void {
  assert.deepEqual([status, body.error.reason], [429, 'rate-limited'])
  const retryAfter = Number(headers.get('retry-after'))
  assert.ok(retryAfter >= 1 && retryAfter <= 60, `${retryAfter}`)
}

for (const LIMITS_STORE of ['memory', 'postgres'] as const)
  describe(`limits that are counted in ${LIMITS_STORE}`, () => {
    it('tell with each answer what is left, and refuse the request after the last', async () => {
      const { ask, headers } = await anApi({ LIMITS_STORE, REQUESTS_PER_MINUTE: 3 })
      const first = await ask('/accounts', { headers })
      assert.equal(first.status, 200)
      assert.equal(first.headers.get('ratelimit-policy'), '"key-requests";q=3;w=60, "requests";q=3;w=60')
      assert.match(first.headers.get('ratelimit') ?? '', /^"key-requests";r=2;t=60, "requests";r=2;t=60$/)
      await ask('/accounts', { headers })
      assert.equal((await ask('/accounts', { headers })).status, 200)
      assertLimited(await ask('/accounts', { headers }))
      assertLimited(await ask('/accounts', { headers }))
    })

    it('leave the other organization alone', async () => {
      const { ask, headers } = await anApi({ LIMITS_STORE, REQUESTS_PER_MINUTE: 1 })
      const other = bearer(await aKey(database, await anOrganization(database.db)))
      await ask('/accounts', { headers })
      assertLimited(await ask('/accounts', { headers }))
      assert.equal((await ask('/accounts', { headers: other })).status, 200)
    })

    it('let one key take its share, and keep the rest for the others of its organization', async () => {
      const { ask, headers, organizationId } = await anApi({
        LIMITS_STORE,
        REQUESTS_PER_MINUTE: 4,
        KEY_SHARE_PERCENT: 50
      })
      const other = bearer(await aKey(database, organizationId))
      await ask('/accounts', { headers })
      await ask('/accounts', { headers })
      for (let more = 0; more < 5; more++) assertLimited(await ask('/accounts', { headers }))
      assert.equal((await ask('/accounts', { headers: other })).status, 200)
      assert.equal((await ask('/accounts', { headers: other })).status, 200)
      assertLimited(await ask('/accounts', { headers: other }))
    })

    it('are those of the organization, if it has its own', async () => {
      const { ask, headers, organizationId } = await anApi({ LIMITS_STORE, REQUESTS_PER_MINUTE: 1 })
      await database.sql('update organization set requests_per_minute = 2 where organization_id = $1', [
        organizationId
      ])
      assert.match((await ask('/accounts', { headers })).headers.get('ratelimit') ?? '', /"requests";r=1;/)
    })

    it('count transfers, and do not count those that they refuse', async () => {
      const { post, headers } = await anApi({ LIMITS_STORE, TRANSFERS_PER_MINUTE: 10 })
      const submit = (transfers: number) =>
        post('/transfers/bulk', aBulk({ transfers, amount: '0.01' }), headers)
      const first = await submit(7)
      assert.equal(first.status, 201)
      assert.match(first.headers.get('ratelimit') ?? '', /"transfers";r=3;t=\d+$/)
      const refused = await submit(4)
      assertLimited(refused)
      assert.match(refused.body.detail, /may submit 10 transfers in a minute, of which 3 are left/)
      assert.equal((await submit(3)).status, 201)
      assertLimited(await submit(1))
    })
  })

describe('failed transfers that are sent again', () => {
  it('count like those of a submission, and a replay does not', async () => {
    const { context, post, headers } = await anApi({ TRANSFERS_PER_MINUTE: 6 })
    const bulk = aBulk({ transfers: 4, amount: '0.01' })
    assert.equal((await post('/transfers/bulk', bulk, headers)).status, 201)
    context.bank.script = ({ reference }) =>
      /-[012]$/.test(reference) ? { outcome: 'rejected', code: 'AC04', message: 'closed' } : 'execute'
    for (let next = await claimWork(context, 'test'); next; next = await claimWork(context, 'test'))
      await executeClaim(context, next)
    const retry = (request_id: string) =>
      post(`/transfers/bulk/${bulk.request_id}/retry-failed`, { request_id }, headers)
    const refused = await retry(randomUUID())
    assertLimited(refused)
    assert.match(refused.body.detail, /may submit 6 transfers in a minute, of which 2 are left/)
    context.settings.TRANSFERS_PER_MINUTE = 7
    const request_id = randomUUID()
    const accepted = await retry(request_id)
    assert.deepEqual([accepted.status, accepted.body.transfer_count], [201, 3])
    assert.match(accepted.headers.get('ratelimit') ?? '', /"transfers";r=0;/)
    assert.equal((await retry(request_id)).headers.get('idempotent-replayed'), 'true')
  })
})

describe('a caller that does not wait when it is told to', () => {
  it('is refused before its big bodies are read, and may still submit small ones that fit', async () => {
    const { post, url, headers } = await anApi({ TRANSFERS_PER_MINUTE: 10 })
    assertLimited(await post('/transfers/bulk', aBulk({ transfers: 11, amount: '0.01' }), headers))
    const socket = await openRaw(url)
    const head = `POST /transfers/bulk HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n`
    socket.write(`${head}authorization: ${headers.authorization}\r\n\r\n{`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    assert.match(answer.toString(), /^HTTP\/1.1 429 /)
    assert.match(answer.toString(), /^connection: close/im)
    socket.destroy()
    assert.equal(
      (await post('/transfers/bulk', aBulk({ transfers: 10, amount: '0.01' }), headers)).status,
      201
    )
  })
})

describe('a caller that insists', () => {
  it('is answered later each time, up to a second', async () => {
    const { ask, context, headers } = await anApi({
      REQUESTS_PER_MINUTE: 1,
      FAILED_AUTHENTICATIONS_PER_MINUTE: 1
    })
    const kept: number[] = []
    context.clock.sleep = (ms) => Promise.resolve(void kept.push(ms))
    const refusals = async (times: number, init: RequestInit) => {
      kept.length = 0
      for (let time = 0; time < times; time++) assertLimited(await ask('/accounts', init))
      return kept.filter((_, place) => place < 3 || place === kept.length - 1)
    }
    await ask('/accounts', { headers })
    assert.deepEqual(await refusals(250, { headers }), [5, 10, 15, 1000])
    const guess = bearer(await aKey(database, null, { environment: 'live' }))
    assert.equal((await ask('/accounts', { headers: guess })).status, 401)
    assert.deepEqual(await refusals(250, { headers: guess }), [5, 10, 15, 1000])
  })
})

describe('requests of one organization', () => {
  it('that all wait for something leave connections to the others', async () => {
    const { post, ask, headers, organizationId } = await anApi()
    const other = bearer(await aKey(database, await anOrganization(database.db)))
    const [held, freed] = [Promise.withResolvers<null>(), Promise.withResolvers<null>()]
    const holding = database.db.transaction(async (tx) => {
      const text = 'select from account where organization_id = $1 for update'
      await tx.query({ name: 'hold-account', text, values: [organizationId] })
      held.resolve(null)
      await freed.promise
    })
    await held.promise
    const done: number[] = []
    const submissions = Array.from({ length: 30 }, async () => {
      const { status } = await post('/transfers/bulk', aBulk({ amount: '0.01' }), headers)
      done.push(status)
    })
    // Half of the twenty connections for organizations.
    while ((await waitingForLocks()) < 10) await new Promise((resolve) => setImmediate(resolve))
    for (let time = 0; time < 10; time++)
      assert.equal((await ask('/accounts', { headers: other })).status, 200)
    assert.deepEqual([await waitingForLocks(), done], [10, []])
    freed.resolve(null)
    await Promise.all([holding, ...submissions])
    assert.deepEqual(done, Array(30).fill(201))
  })
})

async function waitingForLocks(): Promise<number> {
  const text = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  return (await database.sql(text)).length
}

describe('limits in PostgreSQL', () => {
  it('hold over all processes', async () => {
    const one = await anApi({ LIMITS_STORE: 'postgres', REQUESTS_PER_MINUTE: 2 })
    const other = await listen(one.context, { organizationId: one.organizationId, demo: false })
    await one.ask('/accounts', { headers: one.headers })
    await other.ask('/accounts', { headers: one.headers })
    assertLimited(await other.ask('/accounts', { headers: one.headers }))
    assertLimited(await one.ask('/accounts', { headers: one.headers }))
  })

  it('become those of the process when they cannot be counted there', async () => {
    const broken = await createTestDatabase()
    const organizationId = await anOrganization(broken.db)
    const headers = bearer(await aKey(broken, organizationId))
    const context = createTestContext(broken, { ...roomy, LIMITS_STORE: 'postgres', REQUESTS_PER_MINUTE: 1 })
    const { ask } = await listen(context, { organizationId, demo: false })
    await broken.sql('drop table rate_limit')
    assert.equal((await ask('/accounts', { headers })).status, 200)
    assertLimited(await ask('/accounts', { headers }))
  })
})

describe('wrong credentials', () => {
  it('close the door to their address for a while, also to right ones that are new there, and only theirs', async () => {
    const { ask, headers } = await anApi({ FAILED_AUTHENTICATIONS_PER_MINUTE: 3, TRUSTED_PROXY: '127.0.0.1' })
    const from = (address: string, more: Record<string, string>) =>
      ask('/accounts', { headers: { 'x-forwarded-for': address, ...more } })
    const guess = bearer(await aKey(database, null, { environment: 'live' }))
    for (let tries = 0; tries < 3; tries++) assert.equal((await from('2001:db8::1', guess)).status, 401)
    assertLimited(await from('2001:db8::1', guess))
    // One customer of a provider has a whole /64.
    assertLimited(await from('2001:db8:0:0:abcd::9', headers))
    assert.equal((await from('2001:db8:0:1::1', headers)).status, 200)
    assert.equal((await from('198.51.100.7', headers)).status, 200)
  })

  it('do not close it to right ones that came from there before, as long as they are right', async () => {
    const { ask, post, headers } = await anApi({ FAILED_AUTHENTICATIONS_PER_MINUTE: 2 })
    assert.equal((await ask('/accounts', { headers })).status, 200)
    const guess = bearer(await aKey(database, null, { environment: 'live' }))
    for (let tries = 0; tries < 2; tries++)
      assert.equal((await ask('/accounts', { headers: guess })).status, 401)
    assertLimited(await ask('/accounts', { headers: guess }))
    assert.equal((await ask('/accounts', { headers })).status, 200)
    assert.equal((await post('/transfers/bulk', aBulk(), headers)).status, 201)
    await database.sql(`update api_key set revoked_at = now() where organization_id is not null`)
    assert.equal((await ask('/accounts', { headers })).status, 401)
    assertLimited(await ask('/accounts', { headers }))
  })

  it('are not hidden by an address that the caller makes up', async () => {
    const { ask } = await anApi({ FAILED_AUTHENTICATIONS_PER_MINUTE: 2 })
    const answers: number[] = []
    for (const host of [1, 2, 3]) {
      const headers = { ...bearer('bh_test_x'), 'x-forwarded-for': `198.51.100.${host}` }
      answers.push((await ask('/accounts', { headers })).status)
    }
    assert.deepEqual(answers, [401, 401, 429])
  })
})

describe('big bodies', () => {
  it('of one organization wait for each other, while small ones and other organizations go on', async () => {
    const { url, post, ask, headers } = await anApi({ BIG_BODIES_AT_ONCE: 1 })
    const slow = await openRaw(url)
    const head = `POST /transfers/bulk HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n`
    slow.write(`${head}authorization: ${headers.authorization}\r\n\r\n{`)
    // The server has read its head when it has answered a request that came later.
    assert.equal((await ask('/accounts', { headers })).status, 200)
    const big = { ...aBulk({ amount: '0.01' }), label: 'x'.repeat(70_000) }
    const waiting = post('/transfers/bulk', big, headers)
    const other = bearer(await aKey(database, await anOrganization(database.db)))
    assert.equal((await post('/transfers/bulk', aBulk(), headers)).status, 201)
    assert.equal((await post('/transfers/bulk', big, other)).status, 422)
    const first = await Promise.race([
      waiting.then(() => 'waiting'),
      once(slow, 'data').then(() => 'slow'),
      ask('/health/live').then(() => 'neither')
    ])
    assert.equal(first, 'neither')
    slow.destroy()
    assert.equal((await waiting).status, 422)
  })

  it('of which too many wait are refused', async () => {
    const { url, post, headers } = await anApi({ BIG_BODIES_AT_ONCE: 1 })
    const head = `POST /transfers/bulk HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n`
    const sockets = await Promise.all(
      Array.from({ length: 101 }, async () => {
        const socket = await openRaw(url)
        socket.write(`${head}authorization: ${headers.authorization}\r\n\r\n{`)
        return socket
      })
    )
    const big = { ...aBulk({ amount: '0.01' }), label: 'x'.repeat(70_000) }
    const refused = await untilLimited(() => post('/transfers/bulk', big, headers))
    assert.match(refused.body.detail, /send fewer at once/)
    for (const socket of sockets) socket.destroy()
  })

  it('leave nothing behind when their clients go', async () => {
    const { url, post, headers } = await anApi({ BIG_BODIES_AT_ONCE: 1 })
    const head = `POST /transfers/bulk HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n`
    for (let client = 0; client < 5; client++) {
      const socket = await openRaw(url)
      socket.write(`${head}authorization: ${headers.authorization}\r\n\r\n1\r\n{\r\n`)
      await post('/transfers/bulk?dry_run=true', aBulk(), headers)
      socket.destroy()
    }
    const big = { ...aBulk({ amount: '0.01' }), label: 'x'.repeat(70_000) }
    assert.equal((await post('/transfers/bulk', big, headers)).status, 422)
  })
})

/** The other requests are under way when the line is full; how soon that is, only the server knows. */
async function untilLimited(ask: () => Promise<Answer>): Promise<Answer> {
  const pending: Promise<Answer>[] = []
  for (;;) {
    pending.push(ask())
    const first = await Promise.race([
      ...pending,
      new Promise<null>((resolve) => setImmediate(() => resolve(null)))
    ])
    if (first) {
      assertLimited(first)
      return first
    }
  }
}
