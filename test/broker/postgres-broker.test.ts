import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPostgresBroker } from '../../src/broker/postgres-broker.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { describeBroker } from './broker-conformance.ts'

const open = (database: TestDatabase) => createPostgresBroker(database.db, database.url, createLog('silent'))

describeBroker('PostgreSQL', async () => {
  const database = await createTestDatabase()
  return {
    open: () => Promise.resolve(open(database)),
    async cut() {
      await database.sql(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where application_name in ('bulkhead-listen', 'bulkhead-test') and datname = current_database()`
      )
    }
  }
})

describe('the broker on PostgreSQL', () => {
  it('needs one connection for any number of listeners', async (t) => {
    const database = await createTestDatabase()
    const broker = open(database)
    t.after(() => broker.close())
    for (let n = 0; n < 3; n++) await broker.listen(() => undefined)
    const [row] = await database.sql(
      `select count(*)::int from pg_stat_activity where application_name = 'bulkhead-listen' and datname = current_database()`
    )
    assert.deepEqual(row, { count: 1 })
  })
})
