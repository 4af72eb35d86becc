import { formatAmount, maxAmountMinor, parseAmount } from '../domain/money.ts'

/** What a client asks for, in the words of the wire and with its amount in canonical form ("10.00"). */
export interface PaymentOrder {
  readonly reference: string
  readonly amount: string
  readonly currency: string
  readonly debtor_iban: string
  readonly counterparty_name: string
  readonly counterparty_bic: string
  readonly counterparty_iban: string
  readonly description: string
}

export interface Problem {
  readonly reason: string
  readonly details: string
}

export type OrderReading =
  | { readonly outcome: 'read'; readonly order: PaymentOrder }
  | { readonly outcome: 'refused'; readonly problem: Problem }

const IBAN_PATTERN = /^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$/
const TEXT_PATTERN = /^[^]{1,140}$/u

/** The one currency, because `total_amount` over the whole log would otherwise add up apples and pears. */
export const BANK_CURRENCY = 'EUR'

const FIELD_RULES = {
  reference: { pattern: /^[\x21-\x7e]{1,64}$/, rule: '1 to 64 printable ASCII characters without spaces' },
  amount: { pattern: /^[^]+$/, rule: 'a decimal string' },
  currency: { pattern: /^[A-Z]{3}$/, rule: 'three capital letters' },
  // Shape only: the demo organization's own IBAN is masked and has no checksum.
  debtor_iban: { pattern: IBAN_PATTERN, rule: 'an IBAN in electronic form' },
  counterparty_name: { pattern: TEXT_PATTERN, rule: '1 to 140 characters' },
  counterparty_bic: {
    pattern: /^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?$/,
    rule: 'a BIC of 8 or 11 characters'
  },
  counterparty_iban: { pattern: IBAN_PATTERN, rule: 'an IBAN in electronic form' },
  description: { pattern: TEXT_PATTERN, rule: '1 to 140 characters' }
} as const satisfies Record<keyof PaymentOrder, { pattern: RegExp; rule: string }>

const FIELDS = Object.keys(FIELD_RULES) as (keyof PaymentOrder)[]

/** Reads an order from parsed JSON, a request's or the log's; names the first field that is wrong. */
export function readOrder(value: unknown): OrderReading {
  if (!isObject(value)) return refused('invalid-payment', 'The body must be a JSON object.')
  for (const field of FIELDS) {
    const text = value[field]
    const { pattern, rule } = FIELD_RULES[field]
    if (typeof text !== 'string' || !pattern.test(text)) {
      return refused('invalid-payment', `${field} must be a string: ${rule}.`)
    }
  }
  const unknownField = Object.keys(value).find((key) => !Object.hasOwn(FIELD_RULES, key))
  if (unknownField !== undefined) {
    return refused('invalid-payment', `${JSON.stringify(unknownField)} is not a field.`)
  }
  return withCanonicalAmount(value as unknown as PaymentOrder)
}

function withCanonicalAmount(order: PaymentOrder): OrderReading {
  if (order.currency !== BANK_CURRENCY) {
    return refused('currency-not-supported', `This bank executes payments in ${BANK_CURRENCY} only.`)
  }
  const parsed = parseAmount(order.amount, BANK_CURRENCY)
  if (parsed.outcome !== 'ok' || parsed.amount_minor > maxAmountMinor) {
    const largest = formatAmount(maxAmountMinor, BANK_CURRENCY)
    return refused(
      'invalid-amount',
      `amount must be a decimal string of at most two decimals, from 0.01 to ${largest}.`
    )
  }
  return { outcome: 'read', order: { ...order, amount: formatAmount(parsed.amount_minor, BANK_CURRENCY) } }
}

/** Tells whether two orders ask for the same thing, their amounts being canonical. */
export function sameOrder(one: PaymentOrder, other: PaymentOrder): boolean {
  return FIELDS.every((field) => one[field] === other[field])
}

function refused(reason: string, details: string): OrderReading {
  return { outcome: 'refused', problem: { reason, details } }
}

/** Whether parsed JSON is an object, whatever is in it. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
