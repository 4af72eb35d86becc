import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, it } from 'node:test'
import { readCallback } from '../../src/banking/bank-notice.ts'
import { createHttpBank } from '../../src/banking/http-bank.ts'

// PostgreSQL stores no NUL: one in a line of the statement would keep all that come after it from being read.
const payment = {
  reference: '01JZ0000000000000000000000-0',
  amount: '1\u0000',
  currency: 'E\u0000R',
  counterparty_iban: 'DE\u0000'
}

it('takes from a statement only what can be stored', async () => {
  const line = { ...payment, entry_no: 1, kind: 'DEBIT', booked_at: '2026-07-01T08:00:00.000Z' }
  const reason = { code: 'AC\u000004', message: 'closed\u0000' }
  const body = JSON.stringify({ entries: [{ ...line, reason }], next_cursor: '1', has_more: false })
  const server = createServer((_, response) => response.end(body))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const bank = createHttpBank({ url, connections: 1, timeout_ms: 5_000 })
  after(async () => {
    await bank.close()
    server.close()
  })
  const page = await bank.readStatement(null)
  assert(page.outcome === 'page')
  const [entry] = page.entries
  assert.deepEqual(
    [entry?.amount, entry?.currency, entry?.counterparty_iban, entry?.reason_code, entry?.reason],
    ['1 ', 'E R', 'DE ', 'AC 04', 'closed ']
  )
})

it('takes from a callback only what can be stored', () => {
  const notice = { ...payment, notice_id: 'notice', status: 'EXECUTED' }
  const [read] = readCallback(Buffer.from(JSON.stringify({ notices: [notice] }))) ?? []
  assert.deepEqual([read?.currency, read?.counterparty_iban], ['E R', 'DE '])
})
