import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createTestDatabase } from '../support/database.ts'
import { chooseSeed } from '../support/random.ts'
import { fuzz } from './fuzz.ts'

const database = await createTestDatabase()
const requests = Number(process.env['FUZZ_REQUESTS'] ?? 3_000)

describe('the API under calls that are drawn from its own document', () => {
  it(`answers ${requests} of them as the document says, and never with 5xx`, async (t) => {
    const seed = chooseSeed()
    t.diagnostic(`SEED=${seed}`)
    const fuzzed = await fuzz(database, { requests, seed, tell: (text) => t.diagnostic(text) })
    t.diagnostic(JSON.stringify(fuzzed.statuses))
    assert.deepEqual(fuzzed.wrong, [])
    assert.deepEqual(fuzzed.missed, [], 'what no call came to')
    assert.ok(fuzzed.requests >= requests && (fuzzed.statuses[201] ?? 0) > requests / 100)
  })
})
