import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sealEvents } from '../../src/events/seal-events.ts'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { aBulk, anOrganization } from '../support/builders.ts'
import { listen } from '../support/api.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const context = createTestContext(database)
const { db, sql } = database

async function openApi() {
  const organizationId = await anOrganization(db)
  return listen(context, { organizationId })
}

async function seal(): Promise<void> {
  while ((await sealEvents(db)) > 0);
}

async function workOff(): Promise<void> {
  for (let next = await claimWork(context, 'test'); next; next = await claimWork(context, 'test'))
    await executeClaim(context, next)
}

interface Event {
  position: number
  type: string
  data: Record<string, unknown>
}

describe('GET /events', () => {
  it('tells what happened in order, under the name and in the trace of whoever began it', async () => {
    const api = await openApi()
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
    const bulk = aBulk({ transfers: 2 })
    await api.post('/transfers/bulk', bulk, { traceparent: `00-${trace}-00f067aa0ba902b7-01` })
    assert.deepEqual((await api.ask('/events')).body, { data: [], has_more: false, next_after: 0 })
    await workOff()
    await seal()
    const { status, body } = await api.ask('/events')
    assert.equal(status, 200)
    assert.deepEqual(
      body.data.map((event: Event & { actor: string; trace_id: string }) => [
        event.position,
        event.type,
        event.actor,
        event.trace_id,
        event.data['bulk_id']
      ]),
      [
        [1, 'bulk.accepted', 'demo', trace, bulk.request_id],
        [2, 'bulk.processing', 'bulkhead', trace, bulk.request_id],
        [3, 'transfers.settled', 'bulkhead', trace, bulk.request_id],
        [4, 'bulk.completed', 'bulkhead', trace, bulk.request_id]
      ]
    )
    const { needs_attention, ...said } = (await api.ask(`/transfers/bulk/${bulk.request_id}/status`)).body
    assert.equal(needs_attention, false)
    assert.deepEqual(body.data[3].data, said)
  })

  it('is read in pages, and the same again', async () => {
    const api = await openApi()
    for (let bulk = 0; bulk < 5; bulk++) await api.post('/transfers/bulk', aBulk())
    await seal()
    const first = (await api.ask('/events?limit=2')).body
    assert.deepEqual([first.data.length, first.has_more, first.next_after], [2, true, 2])
    const rest = (await api.ask('/events?after=2')).body
    assert.deepEqual([rest.data.length, rest.has_more, rest.next_after], [3, false, 5])
    assert.deepEqual((await api.ask('/events')).body.data, [...first.data, ...rest.data])
    assert.deepEqual((await api.ask('/events?after=5')).body, { data: [], has_more: false, next_after: 5 })
  })

  it('of one type goes on from what it looked at', async () => {
    const api = await openApi()
    await api.post('/transfers/bulk', aBulk())
    await workOff()
    await seal()
    const none = (await api.ask('/events?type=bulk.completed&limit=2')).body
    assert.deepEqual(none, { data: [], has_more: true, next_after: 2 })
    const some = (await api.ask('/events?type=bulk.completed&after=2')).body
    assert.deepEqual(
      some.data.map(({ position, type }: Event) => [position, type]),
      [[4, 'bulk.completed']]
    )
  })

  it('shows an organization its own events only, and nobody who runs the installation', async () => {
    const [api, other] = [await openApi(), await openApi()]
    await sql(
      `insert into event (organization_id, type, actor, data) values ($1, 'bulk.stopped', 'operator:Jane', '{}')`,
      [api.organizationId]
    )
    await seal()
    assert.deepEqual((await other.ask('/events')).body.data, [])
    assert.equal((await api.ask('/events')).body.data[0].actor, 'operator')
  })

  it('refuses a parameter that is none, and says which', async () => {
    const api = await openApi()
    for (const query of ['after=-1', 'after=x', 'limit=0', 'limit=1001', 'type=bulk.nothing', 'before=1']) {
      const { status, body } = await api.ask(`/events?${query}`)
      assert.equal(status, 400, query)
      assert.match(body.error.details, new RegExp(query.split('=')[0] ?? ''))
    }
  })

  it('misses nothing and shows no gap to whoever reads while many submit and work', async () => {
    const api = await openApi()
    const bulks = Array.from({ length: 40 }, () => aBulk({ amount: '1.00', transfers: 5 }))
    let busy = true
    const during = async (work: () => Promise<unknown>) => {
      while (busy) await work()
    }
    const sealing = [during(() => sealEvents(db)), during(() => sealEvents(db))]
    const working = [during(workOff), during(workOff)]
    const seen: Event[] = []
    let after = 0
    const read = async () => {
      const { body } = await api.ask(`/events?limit=7&after=${after}`)
      seen.push(...(body.data as Event[]))
      after = body.next_after as number
      return body.has_more as boolean
    }
    const reading = during(read)
    await Promise.all(bulks.map((bulk) => api.post('/transfers/bulk', bulk)))
    await workOff()
    busy = false
    await Promise.all([...sealing, ...working, reading])
    await seal()
    while (await read());
    assert.deepEqual(
      seen.map(({ position }) => position),
      seen.map((_, index) => index + 1)
    )
    const ended = seen.filter(({ type }) => type === 'bulk.completed').map(({ data }) => data['bulk_id'])
    assert.deepEqual(ended.toSorted(), bulks.map(({ request_id }) => request_id).toSorted())
    const [count] = await sql<{ count: number }>(
      'select count(*)::int as count from event where organization_id = $1',
      [api.organizationId]
    )
    assert.equal(seen.length, count?.count)
  })
})
