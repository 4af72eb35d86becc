import { validateIBAN, ValidationErrorsIBAN as IbanError } from 'ibantools'

/** An IBAN as it is stored and compared: without the spaces of its printed form, in capitals (ISO 13616). */
export function normaliseIban(text: string): string {
  return text.replaceAll(' ', '').toUpperCase()
}

export type IbanFault = 'iban-format' | 'iban-country' | 'iban-length' | 'iban-checksum'

/** What is wrong with a normalised IBAN by the registry of its country, or null. */
export function findIbanFault(iban: string): IbanFault | null {
  if (!/^[A-Z]{2}[0-9]{2}[A-Z0-9]{1,30}$/.test(iban)) return 'iban-format'
  const { valid, errorCodes } = validateIBAN(iban)
  if (valid) return null
  if (errorCodes.includes(IbanError.NoIBANCountry)) return 'iban-country'
  if (errorCodes.includes(IbanError.WrongBBANLength)) return 'iban-length'
  if (errorCodes.includes(IbanError.WrongBBANFormat)) return 'iban-format'
  return 'iban-checksum'
}

export const ibanFaults: Record<IbanFault, string> = {
  'iban-format': 'is not an IBAN: two letters, two digits, then the account number of that country.',
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
