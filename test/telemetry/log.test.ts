import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createLog } from '../../src/telemetry/log.ts'
import { createTestDatabase } from '../support/database.ts'

describe('the log', () => {
  it('tells which rule a row broke, and not whose row it was', async () => {
    const { sql } = await createTestDatabase()
    const lines: string[] = []
    const log = createLog('info', { write: (line: string) => void lines.push(line) })
    const insert = `insert into transfer (organization_id, bulk_no, seq, amount_minor, counterparty_name, counterparty_bic,
      counterparty_iban, description) values (1, 1, 0, 0, 'John Doe', 'DEUTDEFF', 'DE89370400440532013000', 'Salary of June')`
    await assert.rejects(sql(insert), (error) => {
      log.error({ err: error }, 'unexpected error')
      return true
    })
    assert.match(lines.join(''), /transfer_amount_minor_check/)
    assert.doesNotMatch(lines.join(''), /John Doe|DE8937|Salary/)
  })
})
