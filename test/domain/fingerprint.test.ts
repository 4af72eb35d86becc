import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  findRepetitions,
  packFingerprints,
  paymentKey,
  takeFingerprints,
  wantFingerprints
} from '../../src/domain/fingerprint.ts'

// Few values, so that many payments look alike.
const payments = fc.array(
  fc.record({
    counterparty_iban: fc.constantFrom('DE1', 'DE2', 'DE'),
    amount_minor: fc.constantFrom('100', '1001', '00'),
    description: fc.constantFrom('rent', '1 rent')
  })
)

describe('payments that look alike', () => {
  it('are found within a bulk, each with the first of them', () => {
    fc.assert(
      fc.property(payments, (list) => {
        const keys = list.map(paymentKey)
        const expected = keys.flatMap((key, index) =>
          keys.indexOf(key) < index ? [{ index, first: keys.indexOf(key) }] : []
        )
        assert.deepEqual(findRepetitions(list, packFingerprints(list)), expected)
      })
    )
  })

  it('are found in another bulk, as many of each as are wanted', () => {
    fc.assert(
      fc.property(payments, payments, (list, earlier) => {
        const wanted = wantFingerprints(packFingerprints(list), 2)
        const keys = new Set(list.map(paymentKey))
        const expected = earlier.flatMap((payment, place) => {
          const key = paymentKey(payment)
          const before = earlier.slice(0, place).filter((other) => paymentKey(other) === key).length
          return keys.has(key) && before < 2 ? [place] : []
        })
        const places = takeFingerprints(packFingerprints(earlier), wanted)
        assert.deepEqual(places, expected)
      })
    )
  })
})
