import type { Currency } from '../domain/money.ts'

/** One transfer as a bank is told of it. `reference` is its identity at the bank and never changes. */
export interface PaymentOrder {
  reference: string
  amount_minor: bigint
  currency: Currency
  debtor_iban: string
  counterparty_name: string
  counterparty_bic: string
  counterparty_iban: string
  description: string
}

/**
 * What a bank said, and nothing more than it said.
 * - executed, rejected: the end, by the bank's own word. A rejection has an ISO 20022 reason code.
 * - taken: the bank has it, the result is to come.
 * - not-accepted: provably refused before it was accepted (connection refused, 429, 503); it may be sent again.
 * - not-found: asked for a reference, the bank does not know it.
 * - unknown: everything else. A timeout is not a failure.
 */
export type BankAnswer =
  | { outcome: 'executed' }
  | { outcome: 'rejected'; code: string; message: string }
  | { outcome: 'taken' }
  | { outcome: 'not-accepted'; cause: string; retry_after_ms?: number }
  | { outcome: 'not-found' }
  | { outcome: 'unknown'; cause: string }

/** A bank. Neither call ever throws: whatever happens on the way is an answer. */
export interface BankConnector {
  abilities: {
    /** Sending the same reference again never pays twice and tells the result of the first. */
    idempotent_submit: boolean
  }
  submit(order: PaymentOrder): Promise<BankAnswer>
  inquire(order: PaymentOrder): Promise<BankAnswer>
  /** Whether the bank can be reached at all, for the readiness report. */
  ping(): Promise<boolean>
  close(): Promise<void>
}
