import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import pg from 'pg'
import { sealEvents } from '../../src/events/seal-events.ts'
import { anOrganization } from '../support/builders.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const { db, sql } = database

const insert = `insert into event (organization_id, type, actor, data) values ($1, 'key.created', 'test', $2)`
const tell = (organizationId: number, data: unknown) => sql(insert, [organizationId, data])

async function sealAll(): Promise<void> {
  while ((await sealEvents(db)) > 0);
}

const sealed = (organizationId: number) =>
  sql<{ position: string; nr: number; hash: Buffer; content: string }>(
    `select position, (data ->> 'nr')::int as nr, hash, event_content(e) as content
     from event e where organization_id = $1 and position is not null order by position`,
    [organizationId]
  )

/** A connection whose transaction is open as long as a test likes. */
async function openTransaction() {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await client.query('begin')
  return {
    tell: (organizationId: number, data: unknown) => client.query(insert, [organizationId, data]),
    commit: async () => {
      await client.query('commit')
      await client.end()
    }
  }
}

describe('sealing', () => {
  it('numbers the events of each organization from 1, and chains them by their hashes', async () => {
    const [one, other] = [await anOrganization(db), await anOrganization(db)]
    for (const nr of [1, 2, 3]) for (const organization of [one, other]) await tell(organization, { nr })
    await sealAll()
    await tell(one, { nr: 4 })
    await sealAll()
    for (const [organization, count] of [
      [one, 4],
      [other, 3]
    ] as const) {
      const events = await sealed(organization)
      const numbers = Array.from({ length: count }, (_, index) => index + 1)
      assert.deepEqual(
        events.map(({ position, nr }) => [Number(position), nr]),
        numbers.map((nr) => [nr, nr])
      )
      let previous = Buffer.alloc(0)
      for (const { hash, content } of events) {
        previous = createHash('sha256').update(previous).update(content).digest()
        assert.deepEqual(hash, previous)
      }
    }
  })

  it('gives what commits late the next position, whatever its number', async () => {
    const organization = await anOrganization(db)
    const late = await openTransaction()
    await late.tell(organization, { nr: 1 })
    await tell(organization, { nr: 2 })
    await sealAll()
    await late.commit()
    await tell(organization, { nr: 3 })
    await sealAll()
    assert.deepEqual(
      (await sealed(organization)).map(({ nr }) => nr),
      [2, 1, 3]
    )
  })

  it('is done by one at a time, and by another if that one is away', async () => {
    const organization = await anOrganization(db)
    const holder = new pg.Client({ connectionString: database.url })
    await holder.connect()
    await holder.query('begin')
    await holder.query(`select pg_advisory_xact_lock(hashtext('bulkhead.seal-events'))`)
    await tell(organization, { nr: 1 })
    assert.equal(await sealEvents(db), 0)
    await holder.end()
    while ((await sealEvents(db)) === 0);
    assert.equal((await sealed(organization)).length, 1)
  })

  it('leaves no gap and forgets nothing while many commit and several seal', async () => {
    const organization = await anOrganization(db)
    let open = true
    const sealing = Array.from({ length: 3 }, async () => {
      while (open) await sealEvents(db)
    })
    const committing = Array.from({ length: 10 }, async (_, writer) => {
      for (let round = 0; round < 10; round++) {
        const transaction = await openTransaction()
        await transaction.tell(organization, { nr: writer * 100 + round })
        await transaction.tell(organization, { nr: writer * 100 + round + 50 })
        await transaction.commit()
      }
    })
    await Promise.all(committing)
    open = false
    await Promise.all(sealing)
    await sealAll()
    const events = await sealed(organization)
    assert.equal(new Set(events.map(({ nr }) => nr)).size, 200)
    assert.deepEqual(
      events.map(({ position }) => Number(position)),
      Array.from({ length: 200 }, (_, index) => index + 1)
    )
  })
})

describe('an event', () => {
  const code = (statement: string, role?: string) =>
    db
      .transaction(async (tx) => {
        const run = (text: string) => tx.query({ name: '', text, values: [] })
        if (role !== undefined) await run(`set local role ${role}`)
        await run(statement)
      })
      .then(
        () => 'accepted',
        (error: unknown) => (error instanceof pg.DatabaseError ? error.code : error)
      )

  it('can be sealed once, and not be changed otherwise', async () => {
    const organization = await anOrganization(db)
    await tell(organization, { nr: 1 })
    const where = `where organization_id = ${organization}`
    const hash = `sha256('x')`
    assert.equal(await code(`update event set actor = 'x', position = 9, hash = ${hash} ${where}`), '23000')
    assert.equal(await code(`update event set position = 9 ${where}`), '23514')
    assert.equal(await code(`update event set trace_id = 'x' ${where}`), '23000')
    await sealAll()
    assert.equal(await code(`update event set position = 9, hash = ${hash} ${where}`), '23000')
    assert.equal(await code(`update event set position = null, hash = null ${where}`), '23000')
    assert.equal(await code(`delete from event ${where}`), '23000')
    assert.equal(await code('truncate event'), '23000')
  })

  it('is written by nobody with a position, and sealed by no API', async () => {
    const organization = await anOrganization(db)
    const row = `(organization_id, type, actor, data, position, hash) values (${organization}, 'a.b', 'x', '{}', 1, sha256('x'))`
    for (const role of ['bulkhead_api', 'bulkhead_worker'])
      assert.equal(await code(`insert into event ${row}`, role), '42501')
    assert.equal(await code(`update event set position = 1, hash = sha256('x')`, 'bulkhead_api'), '42501')
    assert.equal(await code(`update event set data = '{}'`, 'bulkhead_worker'), '42501')
  })

  it('is seen by its own organization only', async () => {
    const [one, other] = [await anOrganization(db), await anOrganization(db)]
    await tell(one, { nr: 1 })
    const count = async (organization: number) => {
      const query = { name: '', text: 'select count(*)::int as count from event', values: [] }
      return (await db.forOrganization(organization).query(query)).rows
    }
    assert.deepEqual([await count(one), await count(other)], [[{ count: 1 }], [{ count: 0 }]])
  })
})
