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
 * - refused: this call was refused before it was accepted, and would be again; it says nothing about earlier calls.
 * - not-accepted: provably refused before it was accepted (connection refused, 429, the bank's own 503); it may be
 *   sent again. It holds for every copy of the request: a network that doubles requests by itself can't be a bank's.
 * - not-asked: the call was never made, since the bank is being left alone for a while.
 * - not-found: asked for a reference, the bank does not know it.
 * - never-received: the same, so long after it may have been sent that the bank will never execute it.
 * - unknown: everything else. A timeout is not a failure.
 */
export type BankAnswer =
  | { outcome: 'executed' }
  | { outcome: 'rejected' | 'refused'; code: string; message: string }
  | { outcome: 'taken' }
  | { outcome: 'not-accepted'; cause: string; retry_after_ms?: number }
  | { outcome: 'not-asked'; retry_after_ms: number }
  | { outcome: 'not-found' | 'never-received' }
  | { outcome: 'unknown'; cause: string }

/** What the caller knows of a call, for whoever makes calls wait. */
export interface CallOptions {
  /** Whether this transfer was sent or asked about before. */
  again: boolean
  /** Whether it has never been sent: silence about one that was asked about before says little about the bank. */
  fresh?: boolean
  /** The trace of the request that began it, for whoever asks the bank about a call; null for what no request began. */
  trace_id?: string | null
  /** Asked at the last moment before the call is made: whether the caller still may. */
  mayCall: () => boolean
}

/** A line of the bank's statement: money that left the account, or came back. */
export interface StatementEntry {
  entry_no: bigint
  kind: 'DEBIT' | 'RETURN'
  reference: string
  amount: string
  currency: string
  counterparty_iban: string
  booked_at: Date
  reason_code: string | null
  reason: string | null
}

/** What the bank booked after a place in its statement, and the place to go on from. */
export type StatementPage =
  | { outcome: 'page'; entries: StatementEntry[]; next_cursor: string; has_more: boolean }
  | { outcome: 'unavailable'; cause: string }

/** A bank. No call ever throws: whatever happens on the way is an answer. */
export interface BankConnector {
  abilities: {
    /** Sending the same reference again never pays twice and tells the result of the first. */
    idempotent_submit: boolean
    /** A reference that the bank does not know this long after it may have been sent will never be executed. */
    settlement_window_ms: number
  }
  submit(order: PaymentOrder, options?: CallOptions): Promise<BankAnswer>
  inquire(order: PaymentOrder, options?: CallOptions): Promise<BankAnswer>
  /** The bank's statement from a place on, null for its beginning. */
  readStatement(cursor: string | null): Promise<StatementPage>
  /** Whether the bank can be reached at all, for the readiness report. */
  ping(): Promise<boolean>
  close(): Promise<void>
}
