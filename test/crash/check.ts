import assert from 'node:assert/strict'
import { createHttpBankLog } from '../../src/verification/http-bank-log.ts'
import { verify } from '../../src/verification/verify.ts'
import type { BulkRequest } from '../../src/transfers/bulk-request.ts'
import type { Installation } from './run.ts'
import { mayEndAs } from './workload.ts'

interface ListedTransfer {
  index: number
  amount: string
  counterparty_iban: string
  status: string
}

/**
 * Proves that the client was told the truth: what was accepted is there whole, ended as it had to and is answered as it
 * was at first; what was refused is not there; the bank has executed once what the books say, and nothing else.
 */
export async function expectRight(installation: Installation): Promise<void> {
  const { story, database, bankUrl } = installation
  let executed = 0
  for (const { bulk, answer } of story.accepted) {
    await expectSameAnswer(installation, bulk, answer)
    executed += await expectWhole(installation, bulk)
  }
  await expectAbsent(installation)
  const listed = await fetch(`${bankUrl}/payments?limit=1`)
  const { count } = (await listed.json()) as { count: number }
  assert.equal(count, executed, "the bank's own count")
  const { violations } = await verify(database.db, createHttpBankLog(bankUrl))
  assert.deepEqual(violations, [])
}

async function expectSameAnswer({ client }: Installation, bulk: BulkRequest, answer: unknown): Promise<void> {
  const again = await client.post('/transfers/bulk', bulk)
  assert.deepEqual([again.status, again.body], [201, answer])
  assert.equal(again.headers.get('idempotent-replayed'), 'true')
}

/** All its transfers are there, as they were sent in, each with an end that it may have; returns how many were executed. */
async function expectWhole({ client }: Installation, bulk: BulkRequest): Promise<number> {
  const answer = await client.get(`/transfers/bulk/${bulk.request_id}/transfers?limit=1000`)
  const { data: listed } = answer.body as { data: ListedTransfer[] }
  assert.deepEqual(
    listed.map(({ index, amount, counterparty_iban }) => ({ index, amount, counterparty_iban })),
    bulk.credit_transfers.map(({ amount, counterparty_iban }, index) => ({
      index,
      amount,
      counterparty_iban
    }))
  )
  for (const { index, status } of listed)
    assert.ok(mayEndAs(bulk, index).includes(status), `transfer ${index} ended as ${status}`)
  return listed.filter(({ status }) => status === 'EXECUTED').length
}

async function expectAbsent({ client, story, database }: Installation): Promise<void> {
  for (const id of story.refused) assert.equal((await client.get(`/transfers/bulk/${id}`)).status, 404)
  const rows = await database.sql<{ id: string }>('select request_id as id from bulk order by bulk_no')
  assert.deepEqual(
    rows.map(({ id }) => id),
    story.accepted.map(({ bulk }) => bulk.request_id)
  )
}
