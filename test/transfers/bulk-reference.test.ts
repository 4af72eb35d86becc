import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseTransferId, transferId } from '../../src/domain/reference.ts'
import { makeBulkReference } from '../../src/transfers/bulk-reference.ts'

describe('references of bulks', () => {
  const asked = {
    organization_id: 7,
    organization_iban: 'DE89370400440532013000',
    request_id: '123e4567-e89b-12d3-a456-426614174000'
  }

  it('are written in 26 plain characters and read back', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.nat(999), (request_id, seq) => {
        const reference = makeBulkReference({ ...asked, request_id })
        assert.match(reference, /^[0-9A-HJKMNP-TV-Z]{26}$/)
        assert.deepEqual(parseTransferId(transferId(reference, seq)), { bulk_reference: reference, seq })
        assert.ok(transferId(reference, seq).length <= 30)
      })
    )
  })

  it('are the same whenever the same is asked for, and others for whatever else, for ever', () => {
    // Written down: another way to make them would pay what a restored database has forgotten a second time.
    assert.equal(makeBulkReference(asked), 'SX7K1C8YSFEFZ9BC53PH5XBZQW')
    const others = [
      { organization_id: 8 },
      { organization_iban: 'DE89370400440532013001' },
      { request_id: '123e4567-e89b-12d3-a456-426614174001' }
    ].map((change) => makeBulkReference({ ...asked, ...change }))
    assert.equal(new Set([makeBulkReference(asked), ...others]).size, 4)
  })
})
