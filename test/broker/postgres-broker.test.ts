import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPostgresBroker } from '../../src/broker/postgres-broker.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

function open(database: TestDatabase) {
  const broker = createPostgresBroker(database.db, database.url, createLog('silent'))
  const waiting: (() => void)[] = []
  let hints = 0
  const listener = (): void => {
    hints += 1
    for (const wake of waiting.splice(0)) wake()
  }
  /** Resolves at the next hint that comes after the call. */
  const nextHint = () => new Promise<void>((resolve) => waiting.push(resolve))
  return { broker, listener, nextHint, hints: () => hints }
}

describe('the broker on PostgreSQL', () => {
  it('carries a hint from one process to another', async (t) => {
    const database = await createTestDatabase()
    const [sender, receiver] = [open(database), open(database)]
    t.after(() => Promise.all([sender.broker.close(), receiver.broker.close()]))
    await receiver.broker.listen(receiver.listener)
    const hint = receiver.nextHint()
    await sender.broker.announce({ organization_id: 1, bulk_no: '7' })
    await hint
  })

  it('listens again after its connection was cut, and wakes its listeners since hints may have been lost', async (t) => {
    const database = await createTestDatabase()
    const { broker, listener, nextHint } = open(database)
    t.after(() => broker.close())
    await broker.listen(listener)
    const woken = nextHint()
    await database.sql(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'bulkhead-listen' and datname = current_database()`
    )
    await woken
    const hint = nextHint()
    await broker.announce({ organization_id: 1, bulk_no: '8' })
    await hint
  })

  it('needs one connection for any number of listeners', async (t) => {
    const database = await createTestDatabase()
    const { broker, listener } = open(database)
    t.after(() => broker.close())
    for (let n = 0; n < 3; n++) await broker.listen(() => listener())
    const [row] = await database.sql(
      `select count(*)::int from pg_stat_activity where application_name = 'bulkhead-listen' and datname = current_database()`
    )
    assert.deepEqual(row, { count: 1 })
  })
})
