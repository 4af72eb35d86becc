import { isObject, readOrder, type PaymentOrder } from './payment-order.ts'

/** An ISO 20022 code and what it means, of a rejection or of a return. */
export interface Reason {
  readonly code: string
  readonly message: string
}

export type PaymentResult =
  | { readonly status: 'EXECUTED'; readonly executed_at: string }
  | {
      readonly status: 'REJECTED'
      readonly reason: Reason
      readonly executed_at: null
      readonly rejected_at: string
    }

/** What an inquiry says of a payment that waits for its result. */
export type WaitingAnswer = 'pending' | 'not-found' | 'unknown'

export interface Acceptance {
  readonly accepted_at: string
  readonly inquiry: WaitingAnswer
  /** The result to come: a rejection if there is a reason, else an execution. Without a plan none ever comes. */
  readonly planned?: { readonly due_at: string; readonly reason?: Reason }
}

export interface PaymentReturn {
  readonly amount: string
  readonly reason: Reason
  readonly returned_at: string
}

export interface AcceptanceRecord {
  readonly kind: 'acceptance'
  readonly order: PaymentOrder
  readonly acceptance: Acceptance
}

export interface ResultRecord {
  readonly kind: 'result'
  readonly order: PaymentOrder
  readonly result: PaymentResult
}

/** Repeats the result that it follows, so that the last line of a payment tells all that there is to tell. */
export interface ReturnRecord {
  readonly kind: 'return'
  readonly order: PaymentOrder
  readonly result: PaymentResult
  readonly return: PaymentReturn
}

/** One line of the log. */
export type PaymentRecord = AcceptanceRecord | ResultRecord | ReturnRecord

/** Reads one line of the log; throws when it is not a record that this bank writes. */
export function readRecord(line: string): PaymentRecord {
  const value: unknown = JSON.parse(line)
  if (!isObject(value)) throw new Error('not a record')
  const reading = readOrder(value.order)
  if (reading.outcome === 'refused') throw new Error(reading.problem.details)
  const { order } = reading
  switch (value.kind) {
    case 'acceptance':
      return { kind: 'acceptance', order, acceptance: readAcceptance(value.acceptance) }
    case 'result':
      return { kind: 'result', order, result: readResult(value.result) }
    case 'return':
      return { kind: 'return', order, result: readResult(value.result), return: readReturn(value.return) }
    default:
      throw new Error('not a record of an acceptance, a result or a return')
  }
}

function readAcceptance(value: unknown): Acceptance {
  if (!isObject(value)) throw new Error('not an acceptance')
  const { inquiry, planned } = value
  if (inquiry !== 'pending' && inquiry !== 'not-found' && inquiry !== 'unknown') {
    throw new Error('an acceptance with another answer to inquiries')
  }
  const accepted_at = readTime(value.accepted_at)
  if (planned === undefined) return { accepted_at, inquiry }
  if (!isObject(planned)) throw new Error('an acceptance with something else for a plan')
  const due_at = readTime(planned.due_at)
  const plan = planned.reason === undefined ? { due_at } : { due_at, reason: readReason(planned.reason) }
  return { accepted_at, inquiry, planned: plan }
}

function readResult(value: unknown): PaymentResult {
  if (isObject(value) && value.status === 'EXECUTED') {
    return { status: 'EXECUTED', executed_at: readTime(value.executed_at) }
  }
  if (isObject(value) && value.status === 'REJECTED') {
    return {
      status: 'REJECTED',
      reason: readReason(value.reason),
      executed_at: null,
      rejected_at: readTime(value.rejected_at)
    }
  }
  throw new Error('neither EXECUTED nor REJECTED')
}

function readReturn(value: unknown): PaymentReturn {
  if (!isObject(value) || typeof value.amount !== 'string') throw new Error('not a return')
  return { amount: value.amount, reason: readReason(value.reason), returned_at: readTime(value.returned_at) }
}

function readReason(value: unknown): Reason {
  if (!isObject(value) || typeof value.code !== 'string' || typeof value.message !== 'string') {
    throw new Error('not a reason')
  }
  return { code: value.code, message: value.message }
}

function readTime(value: unknown): string {
  if (typeof value !== 'string' || Number.isNaN(Date.parse(value))) throw new Error('not a time')
  return value
}

/** The time on the bank's clock at which a line was written. */
export function timeOf(record: PaymentRecord): string {
  switch (record.kind) {
    case 'acceptance':
      return record.acceptance.accepted_at
    case 'result':
      return resultTime(record.result)
    case 'return':
      return record.return.returned_at
  }
}

/** When a payment was executed or rejected. */
export function resultTime(result: PaymentResult): string {
  return result.status === 'EXECUTED' ? result.executed_at : result.rejected_at
}
