import assert from 'node:assert/strict'
import { formatAmount, parseAmount } from '../domain/money.ts'
import { BANK_CURRENCY, type PaymentOrder } from './payment-order.ts'
import type { PaymentRecord, PaymentResult, Reason, ResultRecord, ReturnRecord } from './payment-record.ts'
import { resultTime } from './payment-record.ts'
import type { ReturnPlan } from './scenario.ts'
import { findScenario } from './scenarios.ts'

/** When this line brings about another one of its payment; undefined when it is the payment's last. */
export function dueTime(record: PaymentRecord): number | undefined {
  if (record.kind === 'acceptance') {
    const { planned } = record.acceptance
    return planned === undefined ? undefined : Date.parse(planned.due_at)
  }
  const plan = record.kind === 'result' ? returnPlan(record) : undefined
  return plan === undefined ? undefined : Date.parse(resultTime(record.result)) + plan.after_s * 1000
}

/** The line that a line with a due time brings about. */
export function nextRecord(record: PaymentRecord, now: string): ResultRecord | ReturnRecord {
  const { order } = record
  if (record.kind === 'acceptance') {
    return { kind: 'result', order, result: makeResult(record.acceptance.planned?.reason, now) }
  }
  const plan = returnPlan(record)
  assert(plan !== undefined)
  const { result } = record
  const amount = returnedAmount(order, plan)
  return { kind: 'return', order, result, return: { amount, reason: plan.reason, returned_at: now } }
}

/** A rejection if there is a reason, else an execution. */
export function makeResult(reason: Reason | undefined, now: string): PaymentResult {
  return reason === undefined
    ? { status: 'EXECUTED', executed_at: now }
    : { status: 'REJECTED', reason, executed_at: null, rejected_at: now }
}

/** How often a result or a return is told by callback when its time comes. */
export function timesTold(record: ResultRecord | ReturnRecord): number {
  return record.kind === 'return' ? (returnPlan(record)?.told_times ?? 1) : 1
}

// Not in the log: that a payment will be returned follows from its payee and the time of its execution.
function returnPlan({ order, result }: ResultRecord | ReturnRecord): ReturnPlan | undefined {
  if (result.status !== 'EXECUTED') return undefined
  const deed = findScenario(order.counterparty_iban)?.deed
  return deed?.kind === 'execute' ? deed.returned : undefined
}

function returnedAmount({ amount }: PaymentOrder, { kept_minor }: ReturnPlan): string {
  const parsed = parseAmount(amount, BANK_CURRENCY)
  assert(parsed.outcome === 'ok')
  const { amount_minor } = parsed
  return amount_minor > kept_minor ? formatAmount(amount_minor - kept_minor, BANK_CURRENCY) : amount
}
