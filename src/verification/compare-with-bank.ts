import { isCurrency, parseAmount } from '../domain/money.ts'
import { parseTransferId, transferId } from '../domain/reference.ts'
import type { Tx } from '../database/statement.ts'
import type { BankLog, BankPayment } from './bank-log.ts'
import { BankLogContradiction } from './bank-log.ts'
import { ends, type ExpectedBulk } from './expected-payments.ts'
import { findBulksByReference } from './queries.ts'
import { describeAmount, type Violation } from './violation.ts'

/** References of payments whose bulk the snapshot does not have, by the reference of that bulk. */
export type UnknownPayments = Map<string, string[]>

export interface BankComparison {
  violations: Violation[]
  unknown: UnknownPayments
  bank_payments: number
}

/**
 * I3 and I4: what the bank executed against what the snapshot says. The log must be read after the snapshot was
 * taken: then whatever is EXECUTED in the snapshot is in it, and a payment of an open transfer is one in flight.
 */
export async function compareWithBank(
  bank: BankLog,
  bulks: Map<string, ExpectedBulk>,
  tell: (payments: number) => void
): Promise<BankComparison> {
  const found: BankComparison = { violations: [], unknown: new Map(), bank_payments: 0 }
  try {
    for await (const payment of bank.payments()) {
      found.bank_payments += 1
      if (found.bank_payments % 10_000 === 0) tell(found.bank_payments)
      examinePayment(payment, bulks, found)
    }
  } catch (error) {
    if (!(error instanceof BankLogContradiction)) throw error
    found.violations.push({ invariant: 'I3', subject: 'the log of the bank', details: error.message })
  }
  for (const bulk of bulks.values()) found.violations.push(...compareEnds(bulk))
  return found
}

function examinePayment(payment: BankPayment, bulks: Map<string, ExpectedBulk>, found: BankComparison): void {
  const id = parseTransferId(payment.reference)
  const bulk = id === null ? undefined : bulks.get(id.bulk_reference)
  if (id === null || bulk === undefined) {
    const key = id?.bulk_reference ?? payment.reference
    const references = found.unknown.get(key)
    if (references === undefined) found.unknown.set(key, [payment.reference])
    else references.push(payment.reference)
    return
  }
  bulk.payments[id.seq] = Math.min((bulk.payments[id.seq] ?? 0) + 1, 255)
  const order = bulk.orders[id.seq]
  if (order === undefined) {
    found.violations.push(nobodyAsked(payment.reference))
    return
  }
  const paid = describePayment(payment)
  const asked = describeOrder(order, bulk.currency)
  if (paid === asked) return
  found.violations.push({
    invariant: 'I3',
    subject: `transfer ${payment.reference}`,
    details: `it asks for ${asked}, the bank paid ${paid}`
  })
}

function describePayment({ amount, currency, counterparty_iban }: BankPayment): string {
  const parsed = isCurrency(currency) ? parseAmount(amount, currency) : null
  const text =
    parsed?.outcome === 'ok' ? describeAmount(parsed.amount_minor, currency) : `${amount} ${currency}`
  return `${text} to ${counterparty_iban}`
}

function describeOrder(order: string, currency: string): string {
  const space = order.indexOf(' ')
  return `${describeAmount(BigInt(order.slice(0, space)), currency)} to ${order.slice(space + 1)}`
}

function compareEnds(bulk: ExpectedBulk): Violation[] {
  const violations: Violation[] = []
  for (const [seq, payments] of bulk.payments.entries()) {
    const end = ends[bulk.ends[seq] ?? 0] ?? 'OPEN'
    const subject = `transfer ${transferId(bulk.bulk_reference, seq)}`
    if (payments > 1)
      violations.push({ invariant: 'I3', subject, details: `the bank executed it ${payments} times` })
    if (payments === 0 && end === 'EXECUTED')
      violations.push({
        invariant: 'I4',
        subject,
        details: 'it is EXECUTED, but the bank did not execute it'
      })
    if (payments > 0 && (end === 'FAILED' || end === 'CANCELLED'))
      violations.push({ invariant: 'I4', subject, details: `it is ${end}, but the bank executed it` })
  }
  return violations
}

/** I3: payments that belong to no transfer, among those whose bulk may have been accepted after the snapshot. */
export async function findForeignPayments(tx: Tx, unknown: UnknownPayments): Promise<Violation[]> {
  if (unknown.size === 0) return []
  const rows = await findBulksByReference(tx, { bulk_references: [...unknown.keys()] })
  const transferCounts = new Map(rows.map((row) => [row.bulk_reference, row.transfer_count]))
  return [...unknown].flatMap(([key, references]) =>
    references
      .filter((reference) => (parseTransferId(reference)?.seq ?? 0) >= (transferCounts.get(key) ?? 0))
      .map(nobodyAsked)
  )
}

function nobodyAsked(reference: string): Violation {
  return {
    invariant: 'I3',
    subject: `payment ${reference}`,
    details: 'the bank executed a payment that no transfer of ours asked for'
  }
}
