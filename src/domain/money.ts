/** Currencies that accounts and transfers may have, with the number of decimals of ISO 4217. */
export const currencies = { EUR: { decimals: 2 } } as const
export type Currency = keyof typeof currencies

/** Whether accounts and transfers may have this currency. */
export function isCurrency(code: string): code is Currency {
  return Object.hasOwn(currencies, code)
}

/** The largest single amount of a SEPA credit transfer, in minor units (EPC125-05, AT-T002: 999,999,999.99). */
export const maxAmountMinor = 999_999_999_99n

export type ParsedAmount =
  | { outcome: 'ok'; amount_minor: bigint }
  | { outcome: 'malformed' | 'too-many-decimals' | 'not-positive' | 'too-large' }

/**
 * Reads a plain ASCII decimal ("10", "14.5", "10.00") as minor units, exactly. No exponent, sign, separator, space
 * or bare point is guessed at; a well-formed negative or zero amount is told apart from a malformed one.
 */
export function parseAmount(text: string, currency: Currency): ParsedAmount {
  if (!/^-?[0-9]+(?:\.[0-9]+)?$/.test(text)) return { outcome: 'malformed' }
  const { decimals } = currencies[currency]
  const point = text.indexOf('.')
  const whole = point === -1 ? text : text.slice(0, point)
  const fraction = point === -1 ? '' : text.slice(point + 1)
  if (fraction.length > decimals) return { outcome: 'too-many-decimals' }
  const amount_minor = BigInt(whole + fraction.padEnd(decimals, '0'))
  if (amount_minor <= 0n) return { outcome: 'not-positive' }
  return amount_minor > maxAmountMinor ? { outcome: 'too-large' } : { outcome: 'ok', amount_minor }
}

/** Minor units as a decimal string with all decimals of the currency: 10000n is "100.00". The inverse of parseAmount. */
export function formatAmount(amountMinor: bigint, currency: Currency): string {
  const { decimals } = currencies[currency]
  const sign = amountMinor < 0n ? '-' : ''
  const digits = (amountMinor < 0n ? -amountMinor : amountMinor).toString().padStart(decimals + 1, '0')
  return `${sign}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
}

/** An amount that somebody else wrote, in minor units; 0, which no transfer has, if it can't be read. */
export function amountOrNone(text: string, currency: string): bigint {
  const parsed = isCurrency(currency) ? parseAmount(text, currency) : null
  return parsed?.outcome === 'ok' ? parsed.amount_minor : 0n
}
