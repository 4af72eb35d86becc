import assert from 'node:assert/strict'
import { createHttpBankLog } from '../../src/verification/http-bank-log.ts'
import { verify } from '../../src/verification/verify.ts'
import { listIncidents, listTransfers, type ListedTransfer } from './heal.ts'
import type { Installation } from './run.ts'
import { isContradicted, mayEndAs, type Accepted } from './workload.ts'

/**
 * Proves that the client was told the truth: what was accepted is there whole, ended as it had to and is answered as it
 * was at first; what was refused is not there; what failed was sent again once; the bank has executed once what the
 * books say, and nothing else; and nobody has to look into anything but the bank's contradictions.
 */
export async function expectRight(installation: Installation): Promise<void> {
  const { story, database, bankUrl } = installation
  const transfers: ListedTransfer[] = []
  for (const accepted of story.accepted) {
    await expectSameAnswer(installation, accepted)
    transfers.push(...(await expectWhole(installation, accepted)))
  }
  await expectAbsent(installation)
  await expectRetriedOnce(installation)
  await expectReturnedOnce(installation, transfers)
  const incidents = await listIncidents(installation)
  assert.deepEqual(
    incidents.map(({ kind, subject }) => `${kind} ${subject}`).toSorted(),
    transfers
      .filter(isContradicted)
      .map(({ transfer_id }) => `contradictory-result transfer ${transfer_id}`)
      .toSorted()
  )
  const listed = await fetch(`${bankUrl}/payments?limit=1`)
  const { count } = (await listed.json()) as { count: number }
  const paid = transfers.filter(({ status }) => status === 'EXECUTED' || status === 'RETURNED')
  assert.equal(count, paid.length, "the bank's own count")
  const { violations } = await verify(database.db, createHttpBankLog(bankUrl))
  assert.deepEqual(violations, [])
}

async function expectSameAnswer({ client }: Installation, { request, answer }: Accepted): Promise<void> {
  const again = await client.post(request.path, request.body)
  assert.deepEqual([again.status, again.body], [201, answer])
  assert.equal(again.headers.get('idempotent-replayed'), 'true')
}

/** All its transfers are there, as they were sent in, each with an end that it may have. */
async function expectWhole(installation: Installation, { bulk }: Accepted): Promise<ListedTransfer[]> {
  const listed = await listTransfers(installation, bulk.request_id)
  assert.deepEqual(
    listed.map(({ index, amount, counterparty_iban }) => ({ index, amount, counterparty_iban })),
    bulk.credit_transfers.map(({ amount, counterparty_iban }, index) => ({
      index,
      amount,
      counterparty_iban
    }))
  )
  for (const { index, status, transfer_id } of listed)
    assert.ok(mayEndAs(bulk, index).includes(status), `transfer ${transfer_id} ended as ${status}`)
  return listed
}

async function expectAbsent({ client, story, database }: Installation): Promise<void> {
  for (const id of story.refused) assert.equal((await client.get(`/transfers/bulk/${id}`)).status, 404)
  const rows = await database.sql<{ id: string }>('select request_id as id from bulk order by bulk_no')
  assert.deepEqual(
    rows.map(({ id }) => id),
    story.accepted.map(({ bulk }) => bulk.request_id)
  )
}

/** Each failed transfer of a bulk that was retried has one that repeats it, in the one bulk that the client was told of. */
async function expectRetriedOnce(installation: Installation): Promise<void> {
  for (const { parent_id, child_id } of installation.story.retried) {
    const failed = (await listTransfers(installation, parent_id)).filter(({ status }) => status === 'FAILED')
    const children = await listTransfers(installation, child_id)
    const pairs = (list: [string, string | null][]) => list.toSorted()
    assert.deepEqual(
      pairs(failed.map(({ transfer_id, retried_as }) => [transfer_id, retried_as])),
      pairs(children.map(({ transfer_id, retry_of }) => [retry_of ?? '', transfer_id]))
    )
  }
}

async function expectReturnedOnce({ database }: Installation, transfers: ListedTransfer[]): Promise<void> {
  const [booked] = await database.sql<{ count: number; amount: string }>(
    `select count(*)::int4, coalesce(sum(amount_minor), 0)::text as amount from posting where kind = 'RETURN'`
  )
  const returns = transfers.flatMap(({ returned }) => (returned === null ? [] : [returned.amount]))
  const cents = returns.reduce((sum, amount) => sum + BigInt(amount.replace('.', '')), 0n)
  assert.deepEqual(booked, { count: returns.length, amount: `${cents}` })
}
