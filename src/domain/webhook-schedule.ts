const second = 1_000
const minute = 60 * second
const hour = 60 * minute

/** Waits before each attempt, counted from the one before it: that of the Standard Webhooks specification. */
export const attemptDelaysMs = [
  0,
  5 * second,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour
]

/** An endpoint that has failed for this long, without a success in between, is disabled. */
export const disabledAfterMs = 5 * 24 * hour

/** Longest that one Retry-After is obeyed. */
const longestRetryAfterMs = 24 * hour

/**
 * Milliseconds until the next attempt after some that failed, or null if there is none left. Up to a tenth later, so
 * that what failed together does not come back together, and not before the receiver wants it.
 */
export function nextAttemptMs(failed: number, random: number, retryAfterMs = 0): number | null {
  const delay = attemptDelaysMs[failed]
  if (delay === undefined) return null
  return Math.max(Math.ceil(delay * (1 + random / 10)), Math.min(retryAfterMs, longestRetryAfterMs))
}

/** Milliseconds that a Retry-After asks for: seconds, or an HTTP date (RFC 9110, 10.2.3); 0 for anything else. */
export function retryAfterMs(header: string | null, nowMs: number): number {
  if (header === null) return 0
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * second : Date.parse(header) - nowMs
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), longestRetryAfterMs) : 0
}
