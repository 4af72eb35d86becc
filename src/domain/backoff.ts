/** Longest that one Retry-After is obeyed: a bank may ask for patience, but not stop everything for a day. */
export const longestRetryAfterMs = 60_000

/** A wait between a tenth of the ceiling and all of it, so that many waiters do not come back together. */
export function jitterMs(ceilingMs: number, random: number): number {
  return Math.ceil(ceilingMs / 10 + random * ceilingMs * 0.9)
}

/** Milliseconds to wait before the next try: capped exponential with jitter. `random` is in [0, 1). */
export function backoffMs(attempts: number, random: number, baseMs = 500, capMs = 20_000): number {
  return jitterMs(Math.min(capMs, baseMs * 2 ** Math.min(attempts - 1, 20)), random)
}
