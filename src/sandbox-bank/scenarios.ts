import type { RejectionReason } from './payment-record.ts'

/** What the bank does with a payment; a later scenario (late, asynchronous, returned) is one more variant. */
export type Scenario =
  { readonly kind: 'execute' } | { readonly kind: 'reject'; readonly reason: RejectionReason }

/**
 * Counterparty IBANs that are valid by checksum, belong to no real bank (bank code 0) and end in digits that
 * tell the ISO 20022 reason: 1xxx for AC, 2xxx for AM.
 */
export const REJECTED_IBANS: ReadonlyMap<string, RejectionReason> = new Map([
  ['DE72000000000000001001', { code: 'AC01', message: 'Incorrect account number' }],
  ['DE88000000000000001004', { code: 'AC04', message: 'Closed account' }],
  ['DE27000000000000002005', { code: 'AM05', message: 'Duplicate payment' }]
])

/** Chooses what happens to a payment by its counterparty's IBAN; every ordinary IBAN is executed. */
export function scenarioOf(counterpartyIban: string): Scenario {
  const reason = REJECTED_IBANS.get(counterpartyIban)
  return reason === undefined ? { kind: 'execute' } : { kind: 'reject', reason }
}
