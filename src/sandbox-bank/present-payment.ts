import { randomUUID } from 'node:crypto'
import type { PaymentOrder } from './payment-order.ts'
import { resultTime, timeOf, type PaymentRecord, type Reason } from './payment-record.ts'
import type { ResultRecord, ReturnRecord } from './payment-record.ts'

/** What a callback says of one payment. */
export interface Notice {
  readonly notice_id: string
  readonly reference: string
  readonly status: 'EXECUTED' | 'REJECTED' | 'RETURNED'
  readonly amount: string
  readonly currency: string
  readonly counterparty_iban: string
  readonly reason?: Reason
  readonly at: string
}

/** The payment as every route shows it: the same body in the first answer, a replay, an inquiry and a list. */
export function presentPayment(record: PaymentRecord): object {
  if (record.kind === 'acceptance') return presentPending(record.order)
  const { order, result } = record
  const { reference, amount, currency, counterparty_iban } = order
  const payment = { reference, ...result, amount, currency, counterparty_iban }
  return record.kind === 'return' ? { ...payment, return: record.return } : payment
}

/** The payment while its result is to come. */
export function presentPending({ reference, amount, currency, counterparty_iban }: PaymentOrder): object {
  return { reference, status: 'PENDING', executed_at: null, amount, currency, counterparty_iban }
}

/** A line of the account statement. */
export function presentEntry(record: PaymentRecord, entryNo: number): object {
  const { reference, amount, currency, counterparty_iban } = record.order
  const entry = {
    entry_no: entryNo,
    kind: record.kind === 'return' ? 'RETURN' : 'DEBIT',
    ...{ reference, amount, currency, counterparty_iban },
    booked_at: timeOf(record)
  }
  return record.kind === 'return'
    ? { ...entry, amount: record.return.amount, reason: record.return.reason }
    : entry
}

/** The notice of a result or a return, under an id of its own. */
export function noticeOf(record: ResultRecord | ReturnRecord): Notice {
  const { reference, amount, currency, counterparty_iban } = record.order
  const about = { notice_id: randomUUID(), reference, amount, currency, counterparty_iban }
  if (record.kind === 'return') {
    const { amount: returned, reason, returned_at } = record.return
    return { ...about, status: 'RETURNED', amount: returned, reason, at: returned_at }
  }
  const { result } = record
  const reason = result.status === 'REJECTED' ? { reason: result.reason } : {}
  return { ...about, status: result.status, ...reason, at: resultTime(result) }
}
