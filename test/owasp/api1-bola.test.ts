import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { randomUUID } from 'node:crypto'
import { payer } from '../support/builders.ts'
import { twoOrganizations } from './support.ts'

const { ask, post, own, theirs, bulk, transferId } = await twoOrganizations()

/** What is told must be the same for what is another's and for what does not exist, but for what was asked. */
function withoutIds(body: any): unknown {
  return { ...body, trace_id: '', instance: '', bulk_id: '' }
}

describe('API1:2023 Broken Object Level Authorization', () => {
  const nobodys = transferId.replace(/-\d+$/, '-999')
  const table: [string, (id: string, transfer: string) => string][] = [
    ['GET', (id) => `/transfers/bulk/${id}`],
    ['GET', (id) => `/transfers/bulk/${id}/status`],
    ['GET', (id) => `/transfers/bulk/${id}/transfers`],
    ['POST', (id) => `/transfers/bulk/${id}/cancel`],
    ['POST', (id) => `/transfers/bulk/${id}/retry-failed`],
    ['GET', (_, transfer) => `/transfers/${transfer}`]
  ]
  for (const [method, path] of table)
    it(`holds: another's is answered like what does not exist: ${method} ${path(':bulk_id', ':transfer_id')}`, async () => {
      const request = (id: string, transfer: string) =>
        method === 'GET'
          ? ask(path(id, transfer), { headers: own })
          : post(
              path(id, transfer),
              path(id, transfer).endsWith('cancel') ? '' : { request_id: randomUUID() },
              own
            )
      const others = await request(bulk.request_id, transferId)
      const none = await request(randomUUID(), nobodys)
      assert.deepEqual([others.status, withoutIds(others.body)], [404, withoutIds(none.body)])
    })

  it("holds: the same request_id is each organization's own, and lists and balances are too", async () => {
    assert.equal((await post('/transfers/bulk', { ...bulk, label: 'mine' }, own)).status, 201)
    const [mine, others] = await Promise.all(
      [own, theirs].map((headers) => ask(`/transfers/bulk/${bulk.request_id}`, { headers }))
    )
    assert.deepEqual([mine?.body.label, others?.body.label], ['mine', null])
    const account = await ask(`/accounts/${payer.organization_iban}`, { headers: own })
    assert.equal(account.body.reserved, '0.02')
  })
})
