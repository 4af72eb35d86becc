import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  bulkStatuses,
  finalBulkStatus,
  transferStatuses,
  transferTransitions
} from '../../src/domain/status.ts'
import { createTestDatabase } from '../support/database.ts'

const { sql } = await createTestDatabase()

describe('statuses', () => {
  it('are the same in the code and in the database', async () => {
    const valuesOf = async (type: string) =>
      (await sql<{ value: string }>(`select unnest(enum_range(null::${type}))::text as value`)).map(
        ({ value }) => value
      )
    assert.deepEqual(await valuesOf('bulk_status'), [...bulkStatuses])
    assert.deepEqual(await valuesOf('transfer_status'), [...transferStatuses])
  })

  it('make the same final status of a bulk in the code and in the database, for every count', async () => {
    const rows = await sql<{ n: number; e: number; f: number; status: string }>(
      `select n, e, f, final_bulk_status(n, e, f)::text as status
       from generate_series(1, 6) n, generate_series(0, n) e, generate_series(0, n - e) f`
    )
    for (const { n, e, f, status } of rows)
      assert.equal(finalBulkStatus({ transfers: n, executed: e, failed: f }), status, `${e} and ${f} of ${n}`)
    assert.ok(rows.length > 50)
  })

  it('end where a transfer is failed, cancelled or returned, or executed, which only a return follows', () => {
    const ends = transferStatuses.filter((status) => transferTransitions[status].length === 0)
    assert.deepEqual(ends, ['FAILED', 'CANCELLED', 'RETURNED'])
    assert.deepEqual(transferTransitions.EXECUTED, ['RETURNED'])
    for (const targets of Object.values(transferTransitions))
      for (const target of targets) assert.ok(transferStatuses.includes(target))
  })
})
