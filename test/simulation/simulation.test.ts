import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { openTestDatabase } from '../support/database.ts'
import { describeFailure } from './report.ts'
import { simulate } from './simulate.ts'
import { prepareDatabase } from './simulation-database.ts'
import { startMs } from './timeline.ts'

const only = process.env['SIMULATION_SEED']
const count = only === undefined ? Number(process.env['SIMULATION_SEEDS'] ?? 300) : 1
const first = Number(only ?? process.env['SIMULATION_FIRST_SEED'] ?? 1)

const storage = await openTestDatabase()
const database = await prepareDatabase(storage)
after(async () => {
  await database.close()
  await storage.close()
})

describe('the program in a simulated world', () => {
  it('runs a seed twice in the same way', async () => {
    const one = await simulate(first, database)
    const other = await simulate(first, database)
    assert.ok(one.timeline.trace.length > 10)
    assert.deepEqual(other.timeline.trace, one.timeline.trace)
  })

  it('has one time, in every table too', async () => {
    const { timeline } = await simulate(first, database)
    const columns = await storage.sql<{ relation: string; name: string }>(
      `select attrelid::regclass::text as relation, attname as name from pg_attribute join pg_class c on c.oid = attrelid
       where atttypid = 'timestamptz'::regtype and relkind = 'r' and relnamespace = 'public'::regnamespace`
    )
    assert.ok(columns.length >= 8)
    // A job is due in the future, and migrations ran in real time.
    const past = columns.filter(
      ({ relation, name }) => relation !== 'migration' && `${relation}.${name}` !== 'job.due_at'
    )
    for (const { relation, name } of past) {
      const rows = await storage.sql<{ at: Date }>(
        `select ${name} as at from ${relation} where ${name} is not null`
      )
      for (const { at } of rows)
        assert.ok(at.getTime() >= startMs && at.getTime() <= timeline.nowMs, relation)
    }
  })

  // A shared machine may be ten times slower than an idle one, on which a world takes a fifth of a second.
  const timeout = 60_000 + 2_000 * count
  it(`loses, doubles and invents nothing in ${count} worlds from ${first} on`, { timeout }, async () => {
    for (let seed = first; seed < first + count; seed++) {
      const world = await simulate(seed, database)
      if (world.violations.length > 0) assert.fail(describeFailure(world))
    }
  })
})
