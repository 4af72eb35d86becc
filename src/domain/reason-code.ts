/**
 * Reason codes of ISO 20022 (external status reason codes, ExternalStatusReason1Code, and for returned money external
 * return reason codes, ExternalReturnReason1Code): what each means for the person who sent the transfer, and whether
 * sending it again unchanged can help.
 */
export const reasonCodes: Record<string, { message: string; retryable: boolean }> = {
  AC01: { message: 'The account number is not correct. Check the IBAN with the payee.', retryable: false },
  AC03: { message: 'The account number of the payee is not valid. Check the IBAN.', retryable: false },
  AC04: { message: 'The account has been closed. Ask the payee for another one.', retryable: false },
  AC06: { message: 'The account is blocked. The payee has to clear this with their bank.', retryable: false },
  AG01: {
    message: 'The account cannot take this kind of transfer. Ask the payee for another one.',
    retryable: false
  },
  AG02: { message: 'The bank does not take this kind of transfer.', retryable: false },
  AM02: { message: 'The amount is more than is allowed.', retryable: false },
  AM03: { message: 'The bank does not take this currency.', retryable: false },
  AM04: { message: 'The account that pays did not have enough money at the bank.', retryable: true },
  AM05: { message: 'The bank considers this a duplicate of another transfer.', retryable: false },
  AM09: { message: 'The amount is not the one that was agreed.', retryable: false },
  BE04: { message: "The payee's address is missing or not correct.", retryable: false },
  BE05: { message: 'The bank does not know who sent this.', retryable: false },
  CNOR: { message: "The payee's bank is not registered with the clearing under this BIC.", retryable: false },
  CUST: { message: 'The payee, or who paid, asked for it.', retryable: false },
  DNOR: {
    message: 'The bank that pays is not registered with the clearing under this BIC.',
    retryable: false
  },
  DUPL: { message: 'The same thing was paid twice.', retryable: false },
  FOCR: { message: 'It came back because the bank asked for it to be recalled.', retryable: false },
  FRAD: { message: 'It came back because of fraud.', retryable: false },
  MD07: { message: 'The payee is no longer alive.', retryable: false },
  MS02: { message: 'The payee refuses the transfer without a reason. Ask the payee.', retryable: false },
  MS03: { message: 'The bank gave no reason. Ask the bank, or the payee.', retryable: true },
  NARR: { message: 'The bank refused the order as it is; its own words say why.', retryable: false },
  RC01: { message: 'The BIC is not correct. Check it with the payee.', retryable: false },
  RR01: { message: 'The account of who pays is missing, and regulation asks for it.', retryable: false },
  RR02: {
    message: 'The name or address of who pays is missing, and regulation asks for it.',
    retryable: false
  },
  RR03: {
    message: 'The name or address of the payee is missing, and regulation asks for it.',
    retryable: false
  },
  RR04: { message: 'The bank refused for regulatory reasons.', retryable: false },
  TECH: { message: 'A technical problem at the bank. It can be sent again.', retryable: true },
  TM01: { message: "It came after the bank's cut-off time. It can be sent again.", retryable: true }
}

/** What to tell people about a reason code; a code we do not know is passed on as it is, and not called retryable. */
export function describeReasonCode(code: string): { message: string; retryable: boolean } {
  return (
    reasonCodes[code] ?? { message: `The bank rejected the transfer with code ${code}.`, retryable: false }
  )
}
