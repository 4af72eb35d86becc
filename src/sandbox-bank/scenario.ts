import type { Reason, WaitingAnswer } from './payment-record.ts'

/** A payee by whose IBAN a client chooses what the bank does with a payment, and how it misbehaves about it. */
export interface Scenario {
  readonly scenario: string
  readonly counterparty_iban: string
  /** The status in which a correct payment engine ends the transfer, and its reason if it failed. */
  readonly expected_status: 'EXECUTED' | 'FAILED' | 'UNKNOWN' | 'RETURNED'
  readonly expected_reason?: string
  readonly description: string
  readonly deed: Deed
  /** How the first answer that tells of the deed differs from the truth; every later one is true. */
  readonly fault?: Replacement | Misstatement | TransportFault
  /** What is told by callback right after the first answer. */
  readonly claim?: Claim
}

/** What the bank does with the payment. */
export type Deed =
  | { readonly kind: 'execute'; readonly returned?: ReturnPlan }
  | { readonly kind: 'reject'; readonly reason: Reason }
  /** Refuses every submission as invalid. */
  | { readonly kind: 'refuse' }
  /** Does nothing by the first submission, says so or is silent about it, and executes by the next. */
  | { readonly kind: 'drop-first'; readonly fault?: Replacement | TransportFault }
  /** Takes it for a result later, or never; only a payment that inquiries find pending is answered. */
  | { readonly kind: 'hold'; readonly inquiry: WaitingAnswer; readonly planned?: ResultPlan }

export interface ResultPlan {
  readonly after_s: number
  /** Of a rejection; without it the payment is executed. */
  readonly reason?: Reason
}

export interface ReturnPlan {
  readonly after_s: number
  readonly reason: Reason
  /** What the returning bank keeps of an amount that is larger. */
  readonly kept_minor: bigint
  readonly told_times: number
}

export interface Claim {
  /** The claim that the payment was rejected, although it was not; without it the true result. */
  readonly rejected?: Reason
  readonly times: number
}

/** Another answer; a body that is a string is HTML. */
export interface Replacement {
  readonly kind: 'replace'
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: object | string
}

export type Misstatement =
  | { readonly kind: 'misstate'; readonly field: 'amount' | 'reference' | 'currency' }
  /** The result goes out by callback, and only then the answer that it is to come. */
  | { readonly kind: 'tell-first' }

/** The true answer, badly carried or not at all. */
export type TransportFault =
  | { readonly kind: 'hang' }
  | { readonly kind: 'delay'; readonly seconds: number }
  | { readonly kind: 'drip' }
  | { readonly kind: 'huge' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'outage'; readonly seconds: number }
