import { getCountrySpecifications, isValidBBAN } from 'ibantools'
import { isCountry } from './countries.ts'

/** An IBAN as it is stored and compared: without the spaces of its printed form, in capitals (ISO 13616). */
export function normaliseIban(text: string): string {
  return /^[A-Z0-9]+$/.test(text) ? text : capitals(text.replaceAll(' ', ''))
}

/** Enough of an IBAN to know one's own accounts apart, and not enough to pay to it. */
export function maskIban(iban: string): string {
  return `${iban.slice(0, 4)}...${iban.slice(-4)}`
}

/** Only plain letters: the capitals of others (SS for ß, I for a dotless i) would make a right account of a wrong one. */
function capitals(text: string): string {
  return text.replaceAll(/[a-z]+/g, (letters) => letters.toUpperCase())
}

export type IbanFault = 'iban-character' | 'iban-format' | 'iban-country' | 'iban-length' | 'iban-checksum'

const countries = new Map(
  Object.entries(getCountrySpecifications()).flatMap(([country, { chars, bban_regexp }]) =>
    chars === null || bban_regexp === null
      ? []
      : [[country, { length: chars, form: new RegExp(bban_regexp) }]]
  )
)

/**
 * What is wrong with a normalised IBAN by the registry of its country, or null. Structure and national check digits
 * are the library's; the check digits of the IBAN itself (ISO 7064, mod 97-10) are computed here, since 1000 IBANs
 * took 1.6 ms there; all of this takes 0.3 ms for 1000.
 */
export function findIbanFault(iban: string): IbanFault | null {
  if (!/^[A-Z]{2}[0-9]{2}[A-Z0-9]{1,30}$/.test(iban))
    return findStrangeCharacter(iban) === null ? 'iban-format' : 'iban-character'
  const country = iban.slice(0, 2)
  const bban = iban.slice(4)
  const specification = countries.get(country)
  if (specification === undefined) return 'iban-country'
  if (specification.length !== iban.length) return 'iban-length'
  const isRight = isValidBBAN(bban, country)
  if (!isRight && !specification.form.test(bban)) return 'iban-format'
  const checkDigits = Number(iban.slice(2, 4))
  // 00, 01 and 99 leave the same remainder as 97, 98 and 02, but are never issued.
  if (checkDigits < 2 || checkDigits > 98 || remainder97(iban) !== 1) return 'iban-checksum'
  return isRight ? null : 'iban-checksum'
}

/** The first character of an IBAN or BIC, normalised, that none can have: often one that only looks like a letter. */
export function findStrangeCharacter(number: string): string | null {
  return /[^A-Z0-9]/u.exec(number)?.[0] ?? null
}

/** The number that an IBAN stands for (country and check digits behind, letters as 10 to 35), modulo 97. */
function remainder97(iban: string): number {
  let remainder = 0
  for (let place = 0; place < iban.length; place++) {
    const code = iban.charCodeAt(place < iban.length - 4 ? place + 4 : place + 4 - iban.length)
    remainder = code < 65 ? remainder * 10 + code - 48 : remainder * 100 + code - 55
    // Below 2 ** 30 a number is a small integer to V8, and most places need no division.
    if (remainder > 9_999_999) remainder %= 97
  }
  return remainder % 97
}

export const ibanFaults: Record<Exclude<IbanFault, 'iban-character'>, string> = {
  'iban-format':
    'is not an IBAN of its country: two letters, two digits, then the account number as that country forms it.',
  'iban-country': 'begins with letters that are no country with IBANs.',
  'iban-length': "has the wrong length for its country's IBANs.",
  'iban-checksum': 'has wrong check digits: probably a digit is mistyped or two are swapped.'
}

/** A BIC as it is stored: in capitals, without spaces around it. */
export function normaliseBic(text: string): string {
  return /^[A-Z0-9]+$/.test(text) ? text : capitals(text.trim())
}

/** A normalised BIC as it is compared: eight characters mean the head office, which is also branch XXX (ISO 9362). */
export function fullBic(bic: string): string {
  return bic.length === 8 ? `${bic}XXX` : bic
}

export type BicFault = 'bic-character' | 'bic-format' | 'bic-country'

/**
 * What is wrong with a normalised BIC by ISO 9362 (institution, country, location and, if any, branch), or null. Whether
 * the bank exists only the directory of its issuer knows.
 */
export function findBicFault(bic: string): BicFault | null {
  if (!/^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?$/.test(bic))
    return findStrangeCharacter(bic) === null ? 'bic-format' : 'bic-character'
  return isCountry(bic.slice(4, 6)) ? null : 'bic-country'
}

export const bicFaults: Record<Exclude<BicFault, 'bic-character'>, string> = {
  'bic-format': 'A BIC has 8 or 11 letters and digits, such as DEUTDEFF.',
  'bic-country':
    'The fifth and sixth letters of this BIC are the code of no country; check it with the payee.'
}
