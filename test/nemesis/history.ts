import type { Answer } from '../support/api.ts'
import { askOnce } from '../support/stubborn-client.ts'
import type { BulkRequest } from '../../src/transfers/bulk-request.ts'

/** One time that a bulk was sent in, and what came of it; no answer means that it may have been accepted or not. */
export interface Try {
  bulk: BulkRequest
  started_ms: number
  ended_ms: number
  answer: Answer | null
}

/** One time that a bulk was cancelled, or that its failed transfers were sent again. */
export interface Act {
  kind: 'cancel' | 'retry'
  bulk_id: string
  /** Of a retry: the id of the new bulk. */
  child_id: string
  /** Whether the client had seen before that the bulk is final. */
  after_final: boolean
  started_ms: number
  ended_ms: number
  answer: Answer | null
}

/** All that clients did and were told, in the order in which it ended. */
export interface History {
  tries: Try[]
  acts: Act[]
  reads: number
  /** What a client saw at once that cannot be. */
  violations: string[]
}

export function newHistory(): History {
  return { tries: [], acts: [], reads: 0, violations: [] }
}

/** Sends a bulk in once and writes down what came of it. */
export async function submitOnce(history: History, front: string, bulk: BulkRequest): Promise<Answer | null> {
  const started_ms = performance.now()
  const answer = await postOnce(history, `${front}/transfers/bulk`, bulk)
  history.tries.push({ bulk, started_ms, ended_ms: performance.now(), answer })
  return answer
}

/** Cancels a bulk or retries what failed of it, once, and writes down what came of it. */
export async function actOnce(
  history: History,
  front: string,
  act: Pick<Act, 'kind' | 'bulk_id' | 'child_id' | 'after_final'>
): Promise<Answer | null> {
  const started_ms = performance.now()
  const bulk = `${front}/transfers/bulk/${act.bulk_id}`
  const answer =
    act.kind === 'cancel'
      ? await postOnce(history, `${bulk}/cancel`, {})
      : await postOnce(history, `${bulk}/retry-failed`, { request_id: act.child_id })
  history.acts.push({ ...act, started_ms, ended_ms: performance.now(), answer })
  return answer
}

/** Answers that only say to send the same again: it came too slowly (408), or something is away and may have taken it (503). */
const again = [408, 503]

/** Null if it was not answered, or not by more than that it is to be sent again. */
async function postOnce(history: History, url: string, body: unknown): Promise<Answer | null> {
  const answer = await askOnce(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(5_000)
  })
  if (answer instanceof Error || again.includes(answer.status)) return null
  if (answer.status < 500) return answer
  history.violations.push(`${url} was answered ${answer.status}: ${JSON.stringify(answer.body)}`)
  return null
}

interface Share {
  count: number
  amount: string
}
export type Status = Record<
  'total' | 'executed' | 'pending' | 'processing' | 'unknown' | 'failed' | 'cancelled',
  Share
> & { final: boolean; version: number }

const parts = ['executed', 'pending', 'processing', 'unknown', 'failed', 'cancelled'] as const

/** Reads the state of a bulk once; holds it to the equation, and to what the same client saw of it before. */
export async function readOnce(
  history: History,
  front: string,
  { id, before }: { id: string; before: Status | null }
): Promise<Status | null> {
  const answer = await askOnce(`${front}/transfers/bulk/${id}/status`, { signal: AbortSignal.timeout(5_000) })
  if (answer instanceof Error || again.includes(answer.status)) return before
  history.reads += 1
  if (answer.status !== 200) {
    history.violations.push(`the status of accepted bulk ${id} was answered ${answer.status}`)
    return before
  }
  const status = answer.body as Status
  const count = parts.reduce((sum, part) => sum + status[part].count, 0)
  const cents = parts.reduce((sum, part) => sum + toCents(status[part].amount), 0n)
  if (count !== status.total.count || cents !== toCents(status.total.amount))
    history.violations.push(`the parts of ${id} do not add up: ${JSON.stringify(status)}`)
  if (before !== null && (status.version < before.version || (before.final && !status.final)))
    history.violations.push(`${id} went back from ${JSON.stringify(before)} to ${JSON.stringify(status)}`)
  return status
}

export function toCents(amount: string): bigint {
  return BigInt(amount.replace('.', ''))
}

export function totalOf(bulk: BulkRequest): bigint {
  return bulk.credit_transfers.reduce((sum, { amount }) => sum + toCents(amount), 0n)
}

export function isAccepted(answer: Answer | null): boolean {
  return answer?.status === 201
}

export function reasonOf(answer: Answer): string {
  return (answer.body as { error?: { reason?: string } } | null)?.error?.reason ?? ''
}
