import { readRanges, type ReceiverPolicy, type RefusedReceiver } from '../domain/receiver-address.ts'
import type { Settings } from '../settings.ts'

/** Calls to addresses that customers name, each guarded against leading to a machine of ours. */
export interface Outgoing {
  post: (call: OutgoingCall) => Promise<OutgoingAnswer>
}

export interface OutgoingCall {
  url: string
  headers: Record<string, string>
  body: string
}

export type OutgoingAnswer =
  | { outcome: 'answered'; status: number; retry_after: string | null; body_start: string }
  /** No connection was tried. */
  | { outcome: 'refused'; cause: RefusedReceiver | 'name-not-resolved' }
  | { outcome: 'failed'; cause: string }

/** Calls to nowhere, for programs that make none. */
export const noOutgoing: Outgoing = {
  post: () => Promise.resolve({ outcome: 'failed', cause: 'no-outgoing-calls' })
}

/** Where this installation calls: public addresses and what it was allowed; in demo mode, where who calls us sits, too. */
export function receiverPolicy({ MODE, WEBHOOK_ALLOW_PRIVATE }: Settings): ReceiverPolicy {
  const allowed = WEBHOOK_ALLOW_PRIVATE ?? (MODE === 'demo' ? '127.0.0.0/8,::1/128' : undefined)
  return {
    https_only: MODE === 'live',
    allowed: allowed === undefined ? [] : (readRanges(allowed) ?? [])
  }
}
