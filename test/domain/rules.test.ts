import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isValidIBAN } from 'ibantools'
import { findBicFault, findIbanFault, normaliseBic, normaliseIban } from '../../src/domain/account-number.ts'
import { backoffMs } from '../../src/domain/backoff.ts'
import { describeReasonCode, reasonCodes } from '../../src/domain/reason-code.ts'
import { parseTransferId } from '../../src/domain/reference.ts'

describe('IBANs', () => {
  for (const [iban, fault] of [
    ['DE89370400440532013000', null],
    ['de89 3704 0044 0532 0130 00', null],
    ['FR1420041010050500013M02606', null],
    ['NL24ABNA5055036109', null],
    ['MT84MALT011000012345MTLCAST001S', null],
    ['DE88370400440532013000', 'iban-checksum'],
    ['DE9935420810036209081725212', 'iban-length'],
    ['FR0010009380540930414023042', 'iban-checksum'],
    ['DE99370400440532013000', 'iban-checksum'],
    ['US89370400440532013000', 'iban-country'],
    ['XX89370400440532013000', 'iban-country'],
    ['x', 'iban-format'],
    ['DE8937040044053201300O', 'iban-format'],
    ['ＤＥ89370400440532013000', 'iban-character'],
    ['DЕ89370400440532013000', 'iban-character'],
    ['DE89370400440532013000\u200b', 'iban-character']
  ] as const)
    it(`finds ${fault ?? 'nothing wrong'} in ${iban}`, () => {
      assert.equal(findIbanFault(normaliseIban(iban)), fault)
    })
})

describe('BICs', () => {
  for (const [bic, valid] of [
    ['DEUTDEFF', true],
    ['deutdeffxxx', true],
    ['OIVUSCLQXXX', true],
    ['DEUTDEF', false],
    ['DEUTDEFFXX', false],
    ['DEUT1EFF', false],
    ['', false]
  ] as const)
    it(`${valid ? 'accepts' : 'refuses'} "${bic}"`, () => {
      assert.equal(findBicFault(normaliseBic(bic)) === null, valid)
    })
})

describe('references', () => {
  for (const text of [
    '',
    'x',
    '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    '01ARZ3NDEKTSV4RRFFQ69G5FAV-01',
    '01ARZ3NDEKTSV4RRFFQ69G5FAV-1000',
    '01ARZ3NDEKTSV4RRFFQ69G5FAI-1'
  ])
    it(`are not read from "${text}"`, () => {
      assert.equal(parseTransferId(text), null)
    })
})

describe('backoffMs', () => {
  it('grows, is never nothing and stays under its cap', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.double({ min: 0, max: 0.999999, noNaN: true }),
        (attempts, random) => {
          const wait = backoffMs(attempts, random)
          assert.ok(wait >= 50 && wait <= 20_000)
        }
      )
    )
    assert.ok(backoffMs(8, 0.5) > backoffMs(1, 0.5))
  })
})

describe('reason codes', () => {
  it('each have a sentence for people, also those we do not know', () => {
    for (const { message } of Object.values(reasonCodes)) assert.match(message, /^[A-Z].{20,}\.$/)
    assert.deepEqual(describeReasonCode('ZZ99'), {
      message: 'The bank rejected the transfer with code ZZ99.',
      retryable: false
    })
  })
})

describe('our check digits', () => {
  it('agree with those of the library, for every country and any change of one character', () => {
    const examples = [
      'DE89370400440532013000',
      'FR1420041010050500013M02606',
      'NL24ABNA5055036109',
      'MT84MALT011000012345MTLCAST001S',
      'ES9121000418450200051332',
      'BE68539007547034',
      'GB29NWBK60161331926819'
    ]
    const characters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'
    for (const iban of examples)
      for (let place = 0; place < iban.length; place++)
        for (const character of characters) {
          const changed = iban.slice(0, place) + character + iban.slice(place + 1)
          assert.equal(findIbanFault(changed) === null, isValidIBAN(changed), changed)
        }
  })
})
