import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { composeIBAN, getCountrySpecifications, isValidBBAN } from 'ibantools'
import {
  findBicFault,
  findIbanFault,
  fullBic,
  normaliseBic,
  normaliseIban
} from '../../src/domain/account-number.ts'
import { belongTogether, isCountry, isInSepa, sepaCountries } from '../../src/domain/countries.ts'

describe('SEPA', () => {
  it('has 41 countries, each with IBANs, the five of the Western Balkans and Moldova among them', () => {
    assert.equal(sepaCountries.size, 41)
    const specifications = getCountrySpecifications()
    for (const country of sepaCountries)
      assert.notEqual(specifications[country]?.chars ?? null, null, country)
    assert.ok(['AL', 'MD', 'ME', 'MK', 'RS'].every(isInSepa))
  })

  for (const [country, inside] of [
    ['DE', true],
    ['GB', true],
    ['GI', true],
    ['CH', true],
    ['VA', true],
    ['XK', false],
    ['BR', false],
    ['TR', false],
    ['UA', false],
    ['US', false]
  ] as const)
    it(`${inside ? 'reaches' : 'does not reach'} ${country}`, () => {
      assert.equal(isInSepa(country), inside)
    })
})

describe('countries', () => {
  it('exist or not', () => {
    assert.deepEqual(['DE', 'SC', 'XK', 'NT', 'XX', 'AA', 'EU', ''].map(isCountry), [
      ...[true, true, true],
      ...[false, false, false, false, false]
    ])
  })

  it('of BIC and IBAN belong together where one bank has both', () => {
    const pairs = [
      ['DE', 'DE'],
      ['RE', 'FR'],
      ['MC', 'FR'],
      ['JE', 'GB'],
      ['AX', 'FI'],
      ['FR', 'DE'],
      ['FR', 'RE'],
      ['GB', 'FR']
    ] as const
    assert.deepEqual(
      pairs.map(([bic, iban]) => belongTogether(bic, iban)),
      [true, true, true, true, true, false, false, false]
    )
  })
})

describe('any IBAN of any country', () => {
  const iban = fc
    .constantFrom(
      ...Object.entries(getCountrySpecifications()).flatMap(([country, { chars, bban_regexp }]) =>
        chars === null || bban_regexp === null ? [] : [{ country, form: new RegExp(bban_regexp) }]
      )
    )
    .chain(({ country, form }) => fc.tuple(fc.constant(country), fc.stringMatching(form)))
    .filter(([country, bban]) => isValidBBAN(bban, country))
    .map(([countryCode, bban]) => composeIBAN({ countryCode, bban }) ?? '')

  it('is right, printed in groups and in small letters, too', () => {
    fc.assert(
      fc.property(iban, (right) => {
        const printed = right.toLowerCase().replaceAll(/(.{4})/g, '$1 ')
        assert.equal(findIbanFault(normaliseIban(printed)), null, right)
        assert.equal(normaliseIban(printed), right)
      }),
      { numRuns: 300 }
    )
  })

  it('is wrong with any other check digits: 00, 01 and 99, and the 97 others', () => {
    fc.assert(
      fc.property(iban, (right) => {
        const faults = Array.from({ length: 100 }, (_, digits) =>
          findIbanFault(right.slice(0, 2) + String(digits).padStart(2, '0') + right.slice(4))
        )
        assert.equal(faults.filter((fault) => fault === null).length, 1)
        assert.ok([0, 1, 99].every((digits) => faults[digits] === 'iban-checksum'))
      }),
      { numRuns: 100 }
    )
  })

  it('is wrong with one character that is no plain letter or digit, and is not made right by capitals', () => {
    fc.assert(
      fc.property(
        iban,
        fc.nat(14),
        fc.constantFrom(...Array.from('ΑВЕОІ０١ıſß\u200b\u00a0.-')),
        (right, place, strange) => {
          const changed = right.slice(0, place) + strange + right.slice(place + 1)
          assert.equal(findIbanFault(normaliseIban(changed)), 'iban-character')
        }
      )
    )
  })
})

describe('a BIC', () => {
  for (const [bic, fault] of [
    ['DEUTDEFF', null],
    ['1234DEFF', null],
    ['RNJZNTMC', 'bic-country'],
    ['DEUTDEF', 'bic-format'],
    ['DEUTDE FF', 'bic-character'],
    ['DEUTDЕFF', 'bic-character'],
    ['deutdeßf', 'bic-character']
  ] as const)
    it(`${bic} has ${fault ?? 'no fault'}`, () => {
      assert.equal(findBicFault(normaliseBic(bic)), fault)
    })

  it('of eight characters is that of branch XXX', () => {
    assert.deepEqual(['DEUTDEFF', 'DEUTDEFFXXX', 'DEUTDEFF500', 'x'].map(fullBic), [
      'DEUTDEFFXXX',
      'DEUTDEFFXXX',
      'DEUTDEFF500',
      'x'
    ])
  })
})
