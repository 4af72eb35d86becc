import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readRequest } from '../../src/transfers/read-request.ts'
import { validateBulk } from '../../src/transfers/validate-bulk.ts'
import { aBulk, aTransfer, payer } from '../support/builders.ts'
import { today } from '../support/judge.ts'

describe('the content hash', () => {
  const hashOf = (body: unknown) => {
    const read = readRequest(body)
    assert.equal(read.outcome, 'ok')
    const checked = validateBulk(read.request, read.transferCount, { today })
    assert.equal(checked.outcome, 'valid')
    return checked.bulk.content_hash.toString('hex')
  }
  const bulk = { ...aBulk(), metadata: { a: '1', b: '2' } }

  it('does not see key order, zeros, spaces or case that mean nothing', () => {
    const [transfer] = bulk.credit_transfers
    const same = {
      metadata: { b: '2', a: '1' },
      credit_transfers: [
        {
          ...Object.fromEntries(Object.entries(transfer ?? {}).reverse()),
          amount: '0100',
          counterparty_bic: 'deutdeff',
          counterparty_iban: 'de89 37040044 0532013000'
        }
      ],
      on_failure: 'continue',
      organization_iban: payer.organization_iban.toLowerCase(),
      organization_bic: ` ${payer.organization_bic.slice(0, 8)} `,
      duplicate_check: 'off',
      request_id: bulk.request_id.toUpperCase()
    }
    assert.equal(hashOf(same), hashOf(bulk))
  })

  it('sees everything that means something', () => {
    const changes: object[] = [
      { credit_transfers: [aTransfer({ amount: '100.01' })] },
      { credit_transfers: [aTransfer({ counterparty_name: 'John  Doe' })] },
      { credit_transfers: [aTransfer(), aTransfer()] },
      { credit_transfers: [aTransfer({ counterparty_bic: 'DEUTDEFF500' })] },
      { credit_transfers: [aTransfer({ metadata: { counterparty_bic: 'DEUTDEFF' } })] },
      { credit_transfers: [aTransfer({ metadata: { counterparty_bic: 'DEUTDEFFXXX' } })] },
      { credit_transfers: [aTransfer({ client_transfer_id: 'a' })] },
      { metadata: { a: '1', b: '3' } },
      { label: 'x' },
      { on_failure: 'stop' },
      { organization_iban: 'FR7630006000011234567890189' }
    ]
    const hashes = [bulk, ...changes.map((change) => ({ ...bulk, ...change }))].map(hashOf)
    assert.equal(new Set(hashes).size, hashes.length)
  })
})
