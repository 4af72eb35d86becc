import type { BankAnswer } from '../banking/connector.ts'
import { backoffMs, jitterMs, longestRetryAfterMs } from '../domain/backoff.ts'
import type { TransferStatus } from '../domain/status.ts'

/** What is to be recorded of one transfer. A result that goes on without a reason was not tried. */
export interface Result {
  seq: number
  status: Exclude<TransferStatus, 'PROCESSING' | 'RETURNED'>
  reason_code: string | null
  reason: string | null
  due_in_ms: number
}

/** What of a claimed transfer decides how an answer is to be read. */
export interface Asked {
  seq: number
  status: string
  epoch: number
  attempts: number
  /** For how long it has been in its status. */
  since_ms: bigint
}

/**
 * Whether a claimed transfer has surely not been sent. A chunk is claimed a second time only when its first claim was
 * never recorded (what is recorded as not accepted goes on in a new chunk), so then its transfers may have been.
 */
export function isFresh(transfer: { status: string; epoch: number }): boolean {
  return transfer.status === 'PROCESSING' && transfer.epoch === 1
}

/** A bank that refused is tried again within seconds, also after an hour: the gate keeps it from being buried. */
const longestRetryMs = 10_000
/** An outcome that stays unknown, or is to come, is asked for ever less often: some 300 times a day at most. */
const shortestInquiryMs = 500
const longestInquiryMs = 300_000

/** Milliseconds to the next inquiry: up to half as long as the transfer has been in its status, so ever longer. */
export function inquiryMs(sinceMs: bigint, random: number): number {
  return jitterMs(Math.min(longestInquiryMs, Math.max(shortestInquiryMs, Number(sinceMs) / 2)), random)
}

/** What a bank's answer makes of a transfer. Only the bank's own word ends one. */
export function interpretAnswer(answer: BankAnswer, transfer: Asked, random: number): Result {
  const { seq, attempts } = transfer
  const fresh = isFresh(transfer)
  const stillOpen = transfer.status === 'SENT' ? 'SENT' : 'UNKNOWN'
  const goesOn = (status: Result['status'], reason: string): Result => {
    const due_in_ms = inquiryMs(status === transfer.status ? transfer.since_ms : 0n, random)
    return { seq, status, reason_code: null, reason, due_in_ms }
  }
  const triedAgain = (status: Result['status'], reason: string, retry_after_ms = 0): Result => {
    const wait_ms = backoffMs(attempts, random, 500, longestRetryMs)
    const due_in_ms = Math.max(wait_ms, Math.min(retry_after_ms, longestRetryAfterMs))
    return { seq, status, reason_code: null, reason, due_in_ms }
  }
  switch (answer.outcome) {
    case 'executed':
      return { seq, status: 'EXECUTED', reason_code: null, reason: null, due_in_ms: 0 }
    case 'rejected':
      return { seq, status: 'FAILED', reason_code: answer.code, reason: answer.message, due_in_ms: 0 }
    case 'refused':
      // That this call was refused says nothing about an earlier one; so does not-accepted.
      return fresh
        ? { seq, status: 'FAILED', reason_code: answer.code, reason: answer.message, due_in_ms: 0 }
        : goesOn(stillOpen, `refused: ${answer.message}`)
    case 'taken':
      return goesOn('SENT', 'the bank has taken it; its result is to come')
    case 'not-accepted':
      return triedAgain(fresh ? 'PENDING' : stillOpen, answer.cause, answer.retry_after_ms)
    case 'not-asked':
      return putBack(transfer, answer.retry_after_ms + backoffMs(1, random))
    case 'not-found':
      // Not yet, perhaps: one that may have been sent is never put back among those that surely were not.
      return goesOn('UNKNOWN', 'the bank does not know it')
    case 'never-received':
      return triedAgain('PENDING', 'the bank never received it')
    case 'unknown':
      return goesOn(stillOpen, answer.cause)
  }
}

/** Leaves a claimed transfer as it was: not sent, or open to inquiry if it may have been. */
export function putBack(transfer: Asked, due_in_ms: number): Result {
  const stillOpen = transfer.status === 'SENT' ? 'SENT' : 'UNKNOWN'
  const status = isFresh(transfer) ? 'PENDING' : stillOpen
  return { seq: transfer.seq, status, reason_code: null, reason: null, due_in_ms }
}

/** A transfer that surely was not sent, of a bulk that was stopped. */
export function cancelled(seq: number, reason: string): Result {
  return { seq, status: 'CANCELLED', reason_code: null, reason, due_in_ms: 0 }
}
