/** A payment that the bank executed, as the bank tells it. */
export interface BankPayment {
  reference: string
  amount: string
  currency: string
  counterparty_iban: string
}

/** The bank's own log. Each call reads it anew, from the first payment to the last one at that time. */
export interface BankLog {
  payments(): AsyncIterable<BankPayment>
}

/** The bank's log does not agree with itself: a finding, while a bank that cannot be asked is a failure. */
export class BankLogContradiction extends Error {}

/** The bank could not be asked, or did not answer with its log. */
export class BankLogUnavailable extends Error {}
