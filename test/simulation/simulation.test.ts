import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { openTestDatabase } from '../support/database.ts'
import { describeFailure } from './report.ts'
import { simulate } from './simulate.ts'
import { prepareDatabase } from './simulation-database.ts'

const only = process.env['SIMULATION_SEED']
const count = only === undefined ? Number(process.env['SIMULATION_SEEDS'] ?? 300) : 1
const first = Number(only ?? process.env['SIMULATION_FIRST_SEED'] ?? 1)

const storage = await openTestDatabase({ maxConnections: 1 })
after(storage.close)
const database = await prepareDatabase(storage)

describe('the program in a simulated world', () => {
  it('runs a seed twice in the same way', async () => {
    const one = await simulate(first, database)
    const other = await simulate(first, database)
    assert.ok(one.timeline.trace.length > 10)
    assert.deepEqual(other.timeline.trace, one.timeline.trace)
  })

  it(`loses, doubles and invents nothing in ${count} worlds from ${first} on`, async () => {
    for (let seed = first; seed < first + count; seed++) {
      const world = await simulate(seed, database)
      if (world.violations.length > 0) assert.fail(describeFailure(world))
    }
  })
})
