import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { aBulk } from '../support/builders.ts'
import { twoOrganizations } from './support.ts'

const { ask, post, own, theirs } = await twoOrganizations({
  REQUESTS_PER_MINUTE: 20,
  TRANSFERS_PER_MINUTE: 50
})

describe('API4:2023 Unrestricted Resource Consumption', () => {
  it('holds: a page, a body, a bulk and what a minute may bring have an end', async () => {
    const page = await ask('/accounts/x/transactions?limit=1001', { headers: own })
    const body = await post('/transfers/bulk', { ...aBulk(), label: 'x'.repeat(3_000_000) }, own)
    const transfers = await post('/transfers/bulk', aBulk({ transfers: 41, amount: '0.01' }), own)
    assert.deepEqual(
      [page, body, transfers].map((answer) => [answer.status, answer.body.error.reason]),
      [
        [400, 'invalid-parameter'],
        [413, 'payload-too-large'],
        [429, 'rate-limited']
      ]
    )
  })

  it("holds: one tenant's flood is answered 429 and leaves the other alone", async () => {
    const flood = await Promise.all(Array.from({ length: 50 }, () => ask('/accounts', { headers: own })))
    const limited = flood.filter(({ status }) => status === 429)
    assert.ok(limited.length >= 30, `${limited.length}`)
    for (const { headers } of limited) assert.ok(Number(headers.get('retry-after')) > 0)
    assert.equal((await ask('/accounts', { headers: theirs })).status, 200)
  })
})
