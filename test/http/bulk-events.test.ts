import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { systemClock, type Clock } from '../../src/context.ts'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { aBulk, anOrganization } from '../support/builders.ts'
import { listen } from '../support/api.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const context = createTestContext(database, { CHUNK_SIZE: 1, POLL_MS: 50 })
const { db, sql } = database
const api = await listen(context, { organizationId: await anOrganization(db) })

async function submit(transfers = 4): Promise<string> {
  const bulk = aBulk({ amount: '1.00', transfers })
  assert.equal((await api.post('/transfers/bulk', bulk)).status, 201)
  return bulk.request_id
}

async function work(): Promise<void> {
  const claim = await claimWork(context, 'test')
  assert.ok(claim)
  await executeClaim(context, claim)
}

async function workOff(): Promise<void> {
  for (let next = await claimWork(context, 'test'); next; next = await claimWork(context, 'test'))
    await executeClaim(context, next)
}

const pathOf = (bulkId: string) => `/transfers/bulk/${bulkId}/events`

interface Message {
  id?: string
  event: string
  data: { type: string; version: number; data: Record<string, unknown> }
}

/** What a client of server-sent events makes of the text. */
function parse(text: string): Message[] {
  return text
    .split('\n\n')
    .filter((block) => block.includes('data: '))
    .map((block) => {
      const fields = Object.fromEntries(
        block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])
      )
      return { ...fields, data: JSON.parse(fields['data'] ?? '') } as Message
    })
}

async function read(bulkId: string, lastEventId?: string): Promise<Message[]> {
  const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
  const response = await fetch(api.url + pathOf(bulkId), { headers })
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-type'), 'text/event-stream')
  return parse(await response.text())
}

const typesOf = (messages: Message[]) => messages.map(({ event }) => event)
const whole = [
  'bulk.accepted',
  'bulk.processing',
  'transfers.settled',
  'bulk.progress',
  'transfers.settled',
  'bulk.completed'
]

/** The statements of those who watch a bulk from its beginning to its end, and of those who work on it meanwhile. */
async function watchWithMany(clients: number): Promise<{ watching: number; working: number }> {
  const looks: (() => void)[] = []
  // The bulk is looked at when the test wants it.
  const sleep: Clock['sleep'] = (ms, signal) =>
    ms === context.settings.POLL_MS / 4
      ? new Promise((resolve) => looks.push(resolve))
      : systemClock.sleep(ms, signal)
  const watched = await listen(
    { ...context, clock: { ...systemClock, sleep } },
    { organizationId: api.organizationId }
  )
  const bulkId = await submit()
  const before = db.statementCount
  const responses = await Promise.all(
    Array.from({ length: clients }, () => fetch(watched.url + pathOf(bulkId)))
  )
  const texts = Promise.all(responses.map((response) => response.text()))
  let working = 0
  for (let claim = 0; claim < 2; claim++) {
    while (looks.length === 0) await setImmediate()
    const sofar = db.statementCount
    await work()
    working += db.statementCount - sofar
    looks.shift()?.()
  }
  const { needs_attention, ...status } = (await api.ask(`/transfers/bulk/${bulkId}/status`)).body
  assert.equal(needs_attention, false)
  for (const text of await texts) {
    const messages = parse(text)
    assert.deepEqual(typesOf(messages), whole)
    assert.deepEqual(messages.at(-1)?.data.data, status)
  }
  return { watching: db.statementCount - before - working, working }
}

describe('watching a bulk', () => {
  it('tells what happens as it happens, and ends after its end', async () => {
    const bulkId = await submit()
    const response = await fetch(api.url + pathOf(bulkId))
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    assert.ok(reader)
    let text = ''
    const until = async (type: string) => {
      while (!text.includes(`event: ${type}\n`)) text += (await reader.read()).value ?? ''
    }
    await until('bulk.accepted')
    await work()
    await until('bulk.progress')
    assert.doesNotMatch(text, /bulk\.completed/)
    await workOff()
    for (let step = await reader.read(); !step.done; step = await reader.read()) text += step.value
    const messages = parse(text)
    assert.deepEqual(typesOf(messages), whole)
    const status = (await api.ask(`/transfers/bulk/${bulkId}/status`)).body
    const { needs_attention, ...said } = status
    assert.equal(needs_attention, false)
    assert.deepEqual(messages.at(-1)?.data.data, said)
    assert.equal(messages.at(-1)?.id, String(status.version))
  })

  it('goes on behind any id, and gives a version whole or not at all', async () => {
    const bulkId = await submit()
    await workOff()
    const all = await read(bulkId)
    assert.deepEqual(typesOf(all), whole)
    const ids = all.flatMap(({ id }) => (id === undefined ? [] : [id]))
    assert.equal(ids.length, new Set(all.map(({ data }) => data.version)).size)
    for (const id of ids.slice(0, -1)) {
      const rest = await read(bulkId, id)
      assert.deepEqual(
        rest,
        all.filter(({ data }) => data.version > Number(id))
      )
    }
    const over = await api.ask(pathOf(bulkId), { headers: { 'last-event-id': ids.at(-1) ?? '' } })
    assert.deepEqual([over.status, over.body], [204, null])
  })

  it('is refused where there is no such bulk, and with an id that is none', async () => {
    const bulkId = await submit()
    const other = await listen(context, { organizationId: await anOrganization(db) })
    assert.equal((await other.ask(pathOf(bulkId))).status, 404)
    assert.equal((await api.ask(pathOf('nothing'))).status, 404)
    const refused = await api.ask(pathOf(bulkId), { headers: { 'last-event-id': 'x' } })
    assert.deepEqual([refused.status, refused.body.error.reason], [400, 'invalid-parameter'])
    await workOff()
  })

  it('costs as much for five hundred as for one, and gives each of them everything', async () => {
    const one = await watchWithMany(1)
    const many = await watchWithMany(500)
    assert.equal(many.working, one.working)
    // A connection to the database is told for which organization it acts when that was another.
    assert.ok(Math.abs(many.watching - one.watching) <= 2, `${many.watching} instead of ${one.watching}`)
  })

  it('leaves connections to other organizations', async () => {
    const organizationId = await anOrganization(db)
    const settings = { ...context.settings, MAX_CONNECTIONS: 12 }
    const small = await listen({ ...context, settings }, { organizationId })
    const bulk = aBulk({ amount: '1.00' })
    assert.equal((await small.post('/transfers/bulk', bulk)).status, 201)
    const path = pathOf(bulk.request_id)
    const watching = await Promise.all([1, 2, 3].map(() => fetch(small.url + path)))
    const refused = await small.ask(path)
    assert.deepEqual([refused.status, refused.body.error.reason], [429, 'rate-limited'])
    await workOff()
    for (const response of watching)
      assert.deepEqual(parse(await response.text()).at(-1)?.event, 'bulk.completed')
    assert.equal((await small.ask(path)).status, 200)
  })

  it('keeps little for a client that never reads, and drops it', async () => {
    const bulkId = await submit(1)
    await sql(
      `insert into event (organization_id, bulk_no, version, type, actor, data)
       select organization_id, bulk_no, nr, 'bulk.progress', 'test', jsonb_build_object('text', repeat('x', 4000))
       from bulk, generate_series(2, 5000) as nr where request_id = $1`,
      [bulkId]
    )
    // Thirty seconds without a byte that is taken are a third of one here.
    const sleep: Clock['sleep'] = (ms, signal) => systemClock.sleep(ms >= 30_000 ? ms / 100 : ms, signal)
    const hurried = await listen(
      { ...context, clock: { ...systemClock, sleep } },
      { organizationId: api.organizationId }
    )
    const { port, hostname } = new URL(hurried.url)
    const client = connect(Number(port), hostname).pause()
    const [connection] = (await once(hurried.server.server, 'connection')) as [Socket]
    let most = 0
    const watching = setInterval(() => (most = Math.max(most, connection.writableLength)), 1)
    client.write(`GET ${pathOf(bulkId)} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
    await once(connection, 'close')
    clearInterval(watching)
    client.destroy()
    assert.ok(connection.bytesWritten < 4000 * 4000, 'all of it was taken')
    assert.ok(most > 0 && most < 200_000, `${most} bytes were kept`)
    await workOff()
  })

  it('ends when the server stops, and is gone on with at another', async () => {
    const bulkId = await submit()
    const stopping = await listen(context, { organizationId: api.organizationId })
    const response = await fetch(stopping.url + pathOf(bulkId))
    await work()
    const [text] = await Promise.all([response.text(), stopping.server.close()])
    const had = parse(text)
    assert.equal(had[0]?.event, 'bulk.accepted')
    await workOff()
    const rest = await read(bulkId, had.findLast(({ id }) => id !== undefined)?.id)
    assert.deepEqual(typesOf([...had, ...rest]), whole)
  })
})
