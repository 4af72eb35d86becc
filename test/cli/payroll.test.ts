import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { makePayroll, seededRandom } from '../../src/cli/payroll.ts'
import { findBicFault, findIbanFault } from '../../src/domain/account-number.ts'
import { parseAmount } from '../../src/domain/money.ts'
import { bulkRequest } from '../../src/transfers/bulk-request.ts'
import { validateBulk } from '../../src/transfers/validate-bulk.ts'

const request_id = '123e4567-e89b-12d3-a456-426614174000'
const today = new Date('2026-11-22T12:00:00Z')

function aPayroll(seed: number, count = 1000) {
  return makePayroll({ request_id, count, today, random: seededRandom(seed) })
}

describe('payroll', () => {
  for (const seed of [1, 2, 2026])
    describe(`of seed ${seed}`, () => {
      const payroll = aPayroll(seed)
      const transfers = payroll.credit_transfers

      it('pays to valid IBANs of at least 15 countries', () => {
        const faults = transfers
          .map(({ counterparty_iban: iban }) => ({ iban, fault: findIbanFault(iban) }))
          .filter(({ fault }) => fault !== null)
        assert.deepEqual(faults, [])
        const countries = new Set(transfers.map(({ counterparty_iban }) => counterparty_iban.slice(0, 2)))
        assert.ok(countries.size >= 15, `only ${[...countries].join(' ')}`)
      })

      it('names a bank in the country of the IBAN', () => {
        for (const { counterparty_bic: bic, counterparty_iban: iban } of transfers)
          assert.ok(findBicFault(bic) === null && bic.slice(4, 6) === iban.slice(0, 2), `${bic} for ${iban}`)
      })

      it('pays salaries of 1,400.00 to 9,800.00, mostly different, and tells their exact sum', () => {
        const salaries = transfers.map(({ amount }) => {
          const parsed = parseAmount(amount, 'EUR')
          assert.ok(parsed.outcome === 'ok', amount)
          return parsed.amount_minor
        })
        assert.ok(salaries.every((salary) => salary >= 1_400_00n && salary <= 9_800_00n))
        assert.ok(new Set(salaries).size > 900)
        const sum = parseAmount(payroll.control_sum, 'EUR')
        assert.deepEqual(sum, { outcome: 'ok', amount_minor: salaries.reduce((a, b) => a + b) })
      })

      it('gives every employee an id of their own', () => {
        const ids = transfers.map(({ client_transfer_id }) => client_transfer_id)
        assert.equal(new Set(ids).size, 1000)
        assert.deepEqual([ids[0], ids[999]], ['EMP-0001', 'EMP-1000'])
      })

      it('passes every check of the engine', () => {
        const parsed = bulkRequest.parse(payroll)
        assert.equal(
          validateBulk(parsed, parsed.credit_transfers.length, { today: '2026-11-22' }).outcome,
          'valid'
        )
      })
    })

  it('is the same for the same seed and another for another', () => {
    assert.deepEqual(aPayroll(7), aPayroll(7))
    assert.notDeepEqual(aPayroll(7).credit_transfers, aPayroll(8).credit_transfers)
  })

  it('says in every month of the year what it is for, in 10 to 140 characters', () => {
    for (let month = 0; month < 12; month++) {
      const payroll = makePayroll({
        request_id,
        count: 1,
        today: new Date(Date.UTC(2027, month, 28)),
        random: seededRandom(1)
      })
      bulkRequest.parse(payroll)
    }
    assert.equal(aPayroll(1, 1).credit_transfers[0]?.description, 'Salary November 2026')
  })
})
