/**
 * What the payee's bank says of a name and an IBAN (EPC Verification of Payee scheme rulebook, EPC218-23): they belong
 * together, they nearly do, they do not, or it can't be told. Whatever goes wrong on the way is `not-possible`.
 */
export type PayeeResult = 'match' | 'close-match' | 'no-match' | 'not-possible'

export interface Payee {
  name: string
  iban: string
  bic: string
}

export interface PayeeAnswer {
  result: PayeeResult
  /** The name that the account goes by. Only of a close match: of any other the payee's bank may not tell it. */
  suggested_name: string | null
}

/** Nobody told anything. */
export const notPossible: PayeeAnswer = { result: 'not-possible', suggested_name: null }

/** Whoever can be asked whether names and IBANs belong together. */
export interface PayeeCheck {
  /**
   * One answer for each payee, in their order, after at most so many milliseconds: what has none by then is
   * `not-possible`. Never throws, and changes nothing at any bank, so that asking again is harmless.
   */
  verify(payees: Payee[], timeoutMs: number): Promise<PayeeAnswer[]>
  close(): Promise<void>
}
