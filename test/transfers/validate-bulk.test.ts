import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readRequest } from '../../src/transfers/read-request.ts'
import { validateBulk } from '../../src/transfers/validate-bulk.ts'
import { aBulk, aTransfer, payer } from '../support/builders.ts'
import { judge, today, withTransfer } from '../support/judge.ts'

const without = (key: string) => Object.fromEntries(Object.entries(aBulk()).filter(([name]) => name !== key))

describe('a bulk', () => {
  const verdicts: [string, unknown, string[]][] = [
    ['that is right', aBulk(), ['valid']],
    [
      'with all that may be given',
      {
        ...aBulk({
          label: 'Payroll',
          on_failure: 'stop',
          execution_date: today,
          control_sum: '100',
          metadata: { run: '7' }
        }),
        credit_transfers: [
          aTransfer({ client_transfer_id: 'a', end_to_end_id: 'b', metadata: { team: 'x' } })
        ]
      },
      ['valid']
    ],
    [
      'with an IBAN in its printed form',
      withTransfer({ counterparty_iban: 'de89 3704 0044 0532 0130 00' }),
      ['valid']
    ],
    ['that is no object', [], ['invalid-request', ' wrong-type']],
    ['that is null', null, ['invalid-request', ' wrong-type']],
    [
      'without credit_transfers',
      without('credit_transfers'),
      ['invalid-request', '/credit_transfers missing']
    ],
    [
      'whose credit_transfers are no list',
      { ...aBulk(), credit_transfers: {} },
      ['invalid-request', '/credit_transfers wrong-type']
    ],
    ['with an unknown key', { ...aBulk(), x: 1 }, ['invalid-request', '/x unknown-key']],
    [
      'with unknown keys in a transfer',
      withTransfer({ 'a/b': 1, '~': 2 }),
      ['invalid-request', '/credit_transfers/0/a~1b unknown-key', '/credit_transfers/0/~0 unknown-key']
    ],
    [
      'with a short description',
      withTransfer({ description: '123456789' }),
      ['invalid-request', '/credit_transfers/0/description too-short']
    ],
    [
      'with a long description',
      withTransfer({ description: 'x'.repeat(141) }),
      ['invalid-request', '/credit_transfers/0/description too-long']
    ],
    [
      'with U+0000 in a name',
      withTransfer({ counterparty_name: 'John\0Doe' }),
      ['invalid-request', '/credit_transfers/0/counterparty_name forbidden-character']
    ],
    [
      'with half a surrogate pair in a name',
      withTransfer({ counterparty_name: 'John \ud800' }),
      ['invalid-request', '/credit_transfers/0/counterparty_name forbidden-character']
    ],
    [
      'with U+0000 in metadata',
      { ...aBulk(), metadata: { a: '\0' } },
      ['invalid-request', '/metadata/a forbidden-character']
    ],
    [
      'with a wrong on_failure',
      { ...aBulk(), on_failure: 'panic' },
      ['invalid-request', '/on_failure not-allowed']
    ],
    [
      'with an execution_date that is no date',
      { ...aBulk(), execution_date: '2026-02-30' },
      ['invalid-request', '/execution_date wrong-format']
    ],
    [
      'for tomorrow',
      aBulk({ execution_date: '2026-11-23' }),
      ['execution-date-not-supported', '/execution_date not-today']
    ],
    ['without a transfer', aBulk({ transfers: 0 }), ['empty-bulk', '/credit_transfers empty']],
    ['of 1000 transfers', aBulk({ transfers: 1000, duplicate_check: 'off' }), ['valid']],
    ['of 1001 transfers', aBulk({ transfers: 1001 }), ['too-many-transfers', '/credit_transfers too-many']],
    [
      'of 1001 transfers with a wrong shape',
      { ...aBulk(), credit_transfers: Array(1001).fill({ ...aTransfer(), x: 1 }) },
      [
        'invalid-request',
        ...Array.from({ length: 1000 }, (_, index) => `/credit_transfers/${index}/x unknown-key`)
      ]
    ],
    [
      'with another currency',
      withTransfer({ currency: 'USD' }),
      ['currency-not-supported', '/credit_transfers/0/currency currency-not-supported']
    ],
    [
      'with a currency in small letters',
      withTransfer({ currency: 'eur' }),
      ['currency-not-supported', '/credit_transfers/0/currency currency-not-supported']
    ],
    [
      'to the account that pays',
      withTransfer({ counterparty_iban: payer.organization_iban.toLowerCase() }),
      [
        'invalid-counterparty',
        '/credit_transfers/0/counterparty_iban iban-format',
        '/credit_transfers/0/counterparty_iban same-account'
      ]
    ],
    [
      'to a wrong IBAN and BIC',
      withTransfer({ counterparty_iban: 'DE88370400440532013000', counterparty_bic: 'DEUT' }),
      [
        'invalid-counterparty',
        '/credit_transfers/0/counterparty_iban iban-checksum',
        '/credit_transfers/0/counterparty_bic bic-format'
      ]
    ],
    [
      'with the right control_sum',
      aBulk({ transfers: 3, amount: '0.1', control_sum: '0.30', duplicate_check: 'off' }),
      ['valid']
    ],
    [
      'with a wrong control_sum',
      aBulk({ transfers: 3, amount: '0.1', control_sum: '0.31' }),
      ['control-sum-mismatch', '/control_sum mismatch']
    ],
    [
      'with a client_transfer_id twice',
      {
        ...aBulk(),
        credit_transfers: [aTransfer({ client_transfer_id: 'a' }), aTransfer({ client_transfer_id: 'a' })]
      },
      ['duplicate-client-transfer-id', '/credit_transfers/1/client_transfer_id duplicate']
    ],
    [
      'with several things wrong in several transfers',
      {
        ...aBulk(),
        credit_transfers: [
          aTransfer({ amount: '0' }),
          aTransfer(),
          aTransfer({ amount: '1e3', currency: 'USD' }),
          aTransfer({ counterparty_iban: 'x' })
        ]
      },
      [
        'invalid-amount',
        '/credit_transfers/0/amount amount-not-positive',
        '/credit_transfers/2/currency currency-not-supported',
        '/credit_transfers/2/amount amount-format',
        '/credit_transfers/3/counterparty_iban iban-format'
      ]
    ],
    ...[15, 1e3, true, null, {}, []].map((amount): [string, unknown, string[]] => [
      `whose amount is ${JSON.stringify(amount)}`,
      withTransfer({ amount }),
      ['invalid-request', '/credit_transfers/0/amount wrong-type']
    ]),
    [
      'whose amount is empty',
      withTransfer({ amount: '' }),
      ['invalid-request', '/credit_transfers/0/amount too-short']
    ],
    ...['Infinity', '1e3', '1_000', ' 12 ', '+5', '.5', '５'].map((amount): [string, unknown, string[]] => [
      `whose amount is "${amount}"`,
      withTransfer({ amount }),
      ['invalid-amount', '/credit_transfers/0/amount amount-format']
    ])
  ]
  for (const [what, body, verdict] of verdicts)
    it(`${what} is ${verdict[0] ?? ''}`, () => {
      assert.deepEqual(judge(body), verdict)
    })

  it('is told every error of every transfer, with its index and the id that the client gave it', () => {
    const transfers = Array.from({ length: 1000 }, (_, i) =>
      aTransfer({
        amount: 'x',
        currency: 'XXX',
        counterparty_iban: 'x',
        counterparty_bic: 'x',
        client_transfer_id: `id-${i}`
      })
    )
    const read = readRequest({ ...aBulk(), credit_transfers: transfers })
    assert.equal(read.outcome, 'ok')
    const checked = validateBulk(read.request, 1000, { today })
    assert.equal(checked.outcome, 'refused')
    const { errors = [] } = checked.problem
    assert.equal(errors.length, 4000)
    assert.deepEqual([errors[3999]?.index, errors[3999]?.client_transfer_id], [999, 'id-999'])
  })
})

describe('any JSON at all', () => {
  it('gets a verdict and never an exception', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (value, transfer) => {
        assert.ok(judge(value).length > 0)
        assert.ok(judge({ ...aBulk(), credit_transfers: [transfer] }).length > 0)
      })
    )
  })
})
