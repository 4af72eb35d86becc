import { getCountrySpecifications, isValidBBAN } from 'ibantools'

/** An IBAN as it is stored and compared: without the spaces of its printed form, in capitals (ISO 13616). */
export function normaliseIban(text: string): string {
  return /^[A-Z0-9]+$/.test(text) ? text : text.replaceAll(' ', '').toUpperCase()
}

export type IbanFault = 'iban-format' | 'iban-country' | 'iban-length' | 'iban-checksum'

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
 * took 1.6 ms there, a tenth of accepting a bulk, and take 0.7 ms here.
 */
export function findIbanFault(iban: string): IbanFault | null {
  if (!/^[A-Z]{2}[0-9]{2}[A-Z0-9]{1,30}$/.test(iban)) return 'iban-format'
  const country = iban.slice(0, 2)
  const bban = iban.slice(4)
  const specification = countries.get(country)
  if (specification === undefined) return 'iban-country'
  if (specification.length !== iban.length) return 'iban-length'
  if (!specification.form.test(bban)) return 'iban-format'
  const checkDigits = Number(iban.slice(2, 4))
  // 00, 01 and 99 leave the same remainder as 97, 98 and 02, but are never issued.
  if (checkDigits < 2 || checkDigits > 98 || remainder97(iban) !== 1) return 'iban-checksum'
  return isValidBBAN(bban, country) ? null : 'iban-checksum'
}

/** The number that an IBAN stands for (country and check digits behind, letters as 10 to 35), modulo 97. */
function remainder97(iban: string): number {
  let remainder = 0
  for (let place = 0; place < iban.length; place++) {
    const code = iban.charCodeAt((place + 4) % iban.length)
    remainder = code < 65 ? (remainder * 10 + code - 48) % 97 : (remainder * 100 + code - 55) % 97
  }
  return remainder
}

export const ibanFaults: Record<IbanFault, string> = {
  'iban-format':
    'is not an IBAN of its country: two letters, two digits, then the account number as that country forms it.',
  'iban-country': 'begins with letters that are no country with IBANs.',
  'iban-length': "has the wrong length for its country's IBANs.",
  'iban-checksum': 'has wrong check digits: probably a digit is mistyped or two are swapped.'
}

/** A BIC as it is stored and compared. */
export function normaliseBic(text: string): string {
  return text.trim().toUpperCase()
}

/** Whether a normalised BIC has the form of ISO 9362: institution, country, location and, if any, branch. */
export function isBic(bic: string): boolean {
  return /^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?$/.test(bic)
}
