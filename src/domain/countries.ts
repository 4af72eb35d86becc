import { getCountrySpecifications } from 'ibantools'

/** Codes of ISO 3166-1, and XK, which Kosovo uses in IBANs and BICs; the library lists all of them. */
const existing = new Set(Object.keys(getCountrySpecifications()))

/** Whether two letters are the code of a country, as the fifth and sixth of a BIC have to be. */
export function isCountry(code: string): boolean {
  return existing.has(code)
}

/**
 * Countries of the Single Euro Payments Area by the first letters of their IBANs. Source: European Payments Council,
 * EPC409-09 "EPC list of SEPA scheme countries", as of 2025-05-22, when Serbia became the 41st; checked November 2026.
 * A transfer reaches a country from its readiness date on: Albania, Moldova, Montenegro and North Macedonia
 * 2025-10-05, Serbia 2026-05-05, all others long since. Gibraltar belongs to the United Kingdom and has IBANs of its own;
 * the territories of France, Finland, Portugal, Spain and the Crown Dependencies use those of their country.
 * ibantools' own list is of before 2024 and lacks five.
 */
export const sepaCountries = new Set(
  [
    // European Union
    'AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK',
    // European Economic Area
    'IS LI NO',
    'AD AL CH GB MC MD ME MK RS SM VA'
  ].flatMap((line) => line.split(' '))
)

/** Whether a SEPA credit transfer reaches accounts whose IBANs begin with these letters. */
export function isInSepa(ibanCountry: string): boolean {
  return sepaCountries.has(ibanCountry) || ibanCountry === 'GI'
}

/** Countries of BICs that go with the IBANs of another: territories, and Monaco's banks that are branches of French ones. */
const bicsOfIbans: Record<string, string> = {
  FR: 'BL GF GP MC MF MQ NC PF PM RE TF WF YT',
  GB: 'GG IM JE',
  FI: 'AX'
}

/** Whether a bank with a BIC of one country may have accounts with IBANs of the other. */
export function belongTogether(bicCountry: string, ibanCountry: string): boolean {
  return bicCountry === ibanCountry || (bicsOfIbans[ibanCountry]?.split(' ').includes(bicCountry) ?? false)
}
