import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { aBulk, aTransfer } from '../support/builders.ts'
import { twoOrganizations } from './support.ts'

const { ask, post, own, theirs, transferId } = await twoOrganizations()

describe('API3:2023 Broken Object Property Level Authorization', () => {
  for (const extra of [
    { organization_id: 1 },
    { status: 'COMPLETED' },
    { total_minor: 1 },
    { bulk_no: 1 },
    { accepted_at: '2000-01-01' }
  ])
    it(`holds: a property that is not the caller's to set is refused: ${JSON.stringify(extra)}`, async () => {
      const inBulk = await post('/transfers/bulk', { ...aBulk(), ...extra }, own)
      const inTransfer = { ...aBulk(), credit_transfers: [{ ...aTransfer(), ...extra }] }
      for (const answer of [inBulk, await post('/transfers/bulk', inTransfer, own)])
        assert.deepEqual([answer.status, answer.body.errors[0].code], [422, 'unknown-key'])
    })

  it('holds: answers have the documented properties and no others, of the database least of all', async () => {
    const document = (await ask('/openapi.json')).body
    const { body } = await ask(`/transfers/${transferId}`, { headers: theirs })
    assert.deepEqual(
      Object.keys(body).toSorted(),
      Object.keys(document.components.schemas.Transfer.properties).toSorted()
    )
    const account = (await ask('/accounts', { headers: own })).body.data[0]
    assert.deepEqual(
      Object.keys(account).toSorted(),
      Object.keys(document.components.schemas.Account.properties).toSorted()
    )
    assert.doesNotMatch(JSON.stringify([body, account]), /_minor|organization_id|account_id|bulk_no|secret/)
  })
})
