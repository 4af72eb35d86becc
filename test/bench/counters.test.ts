import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, it } from 'node:test'
import { perTransfer, readCounters } from '../../bench/counters.ts'
import { createInstantBank } from '../../bench/instant-bank.ts'
import { bulkText, size, startSystem } from '../../bench/system.ts'
import { startEmbeddedPostgres } from '../../src/embedded/start-postgres.ts'

describe('the cost of a transfer, end to end', () => {
  it('stays within the budgets of what can be counted', async (t) => {
    // A server of its own: the counters are those of the whole server.
    const folder = mkdtempSync(path.join(tmpdir(), 'bulkhead-counters-'))
    const postgres = await startEmbeddedPostgres({ directory: folder })
    t.after(async () => {
      await postgres.stop()
      rmSync(folder, { recursive: true, force: true })
    })
    const bank = createInstantBank()
    const system = await startSystem(postgres.url, bank)
    await system.work([bulkText()])
    // Enough that chance (which lane claims how much) evens out.
    const bulks = 25
    const before = await readCounters(system)
    const statements = system.context.db.statementCount
    await system.work(Array.from({ length: bulks }, bulkText))
    const perBulk = (system.context.db.statementCount - statements) / bulks
    const counters = perTransfer(before, await readCounters(system), bulks * size)
    await system.stop()
    t.diagnostic(`${JSON.stringify(counters)}, ${perBulk} statements per bulk`)
    assert.equal(bank.executed.size, (bulks + 1) * size)
    assert.ok(counters.fsyncs > 0 && counters.fsyncs <= 0.03, `${counters.fsyncs} fsyncs`)
    assert.ok(counters.wal_bytes > 0 && counters.wal_bytes <= 1100, `${counters.wal_bytes} bytes of WAL`)
    assert.ok(counters.dead_tuples > 0 && counters.dead_tuples <= 0.05, `${counters.dead_tuples} dead tuples`)
    assert.ok(perBulk > 0 && perBulk <= 45, `${perBulk} statements`)
  })
})
