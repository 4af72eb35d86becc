import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatAmount, maxAmountMinor, parseAmount } from '../../src/domain/money.ts'

describe('parseAmount', () => {
  const verdicts: [string, bigint | string][] = [
    ['10', 1000n],
    ['10.0', 1000n],
    ['10.00', 1000n],
    ['10.05', 1005n],
    ['14.5', 1450n],
    ['0.01', 1n],
    ['00012.50', 1250n],
    ['999999999.99', maxAmountMinor],
    ['1000000000.00', 'too-large'],
    ['1'.repeat(400), 'too-large'],
    [`${'0'.repeat(400)}7`, 700n],
    ['0', 'not-positive'],
    ['0.00', 'not-positive'],
    ['-0', 'not-positive'],
    ['-15', 'not-positive'],
    ['-15.5', 'not-positive'],
    ['10.123', 'too-many-decimals'],
    ['10.000', 'too-many-decimals'],
    ['-10.123', 'too-many-decimals'],
    ...[
      '',
      ' ',
      'eaaa',
      'Infinity',
      '-Infinity',
      'NaN',
      'sNaN',
      '1e3',
      '1E30',
      '1_000',
      ' 12 ',
      '12 ',
      '+5',
      '.5',
      '5.',
      '5.-1',
      '--5',
      '１２',
      '１２.５０',
      '١٢',
      '1,000.00',
      '12,50',
      '0x10',
      '1 000',
      '1\u00a0000',
      '12\n',
      '１',
      '²',
      '1e-2',
      '1.2.3',
      '-',
      '.',
      '€5'
    ].map((text): [string, string] => [text, 'malformed'])
  ]
  for (const [text, verdict] of verdicts)
    it(`makes ${JSON.stringify(text.length > 20 ? `${text.slice(0, 10)}… (${text.length} characters)` : text)} ${verdict}`, () => {
      const parsed = parseAmount(text, 'EUR')
      assert.equal(parsed.outcome === 'ok' ? parsed.amount_minor : parsed.outcome, verdict)
    })

  it('reads back every amount that formatAmount writes', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, maxAmountMinor), (minor) => {
        assert.deepEqual(parseAmount(formatAmount(minor, 'EUR'), 'EUR'), {
          outcome: 'ok',
          amount_minor: minor
        })
      })
    )
  })

  it('never throws and never accepts what is no plain decimal', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        if (parseAmount(text, 'EUR').outcome === 'ok') assert.match(text, /^[0-9]+(\.[0-9]{1,2})?$/)
      }),
      { numRuns: 2000 }
    )
  })
})

describe('formatAmount', () => {
  for (const [minor, text] of [
    [0n, '0.00'],
    [1n, '0.01'],
    [-1n, '-0.01'],
    [100n, '1.00'],
    [-123456n, '-1234.56'],
    [150_000_000_000_000_000n, '1500000000000000.00']
  ] as const)
    it(`writes ${minor} as ${text}`, () => {
      assert.equal(formatAmount(minor, 'EUR'), text)
    })
})
