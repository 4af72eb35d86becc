/**
 * Reason codes of ISO 20022 (external status reason codes, ExternalStatusReason1Code) that a bank rejects a credit
 * transfer with: what it means for the person who sent it, and whether sending it again unchanged can help.
 */
export const reasonCodes: Record<string, { message: string; retryable: boolean }> = {
  AC01: { message: 'The account number is not correct. Check the IBAN with the payee.', retryable: false },
  AC04: { message: 'The account has been closed. Ask the payee for another one.', retryable: false },
  AC06: { message: 'The account is blocked. The payee has to clear this with their bank.', retryable: false },
  AG01: {
    message: 'The account cannot take this kind of transfer. Ask the payee for another one.',
    retryable: false
  },
  AM04: { message: 'The account that pays did not have enough money at the bank.', retryable: true },
  AM05: { message: 'The bank considers this a duplicate of another transfer.', retryable: false },
  MS03: { message: 'The bank gave no reason. Ask the bank, or the payee.', retryable: true },
  NARR: { message: 'The bank refused the order as it is; its own words say why.', retryable: false },
  RC01: { message: 'The BIC is not correct. Check it with the payee.', retryable: false },
  RR04: { message: 'The bank refused for regulatory reasons.', retryable: false }
}

/** What to tell people about a reason code; a code we do not know is passed on as it is, and not called retryable. */
export function describeReasonCode(code: string): { message: string; retryable: boolean } {
  return (
    reasonCodes[code] ?? { message: `The bank rejected the transfer with code ${code}.`, retryable: false }
  )
}
