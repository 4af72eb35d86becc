/**
 * Milliseconds to wait before the next try: capped exponential with full jitter, so that many waiters do not come
 * back together. `random` is in [0, 1).
 */
export function backoffMs(attempts: number, random: number, baseMs = 500, capMs = 20_000): number {
  const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(attempts - 1, 20))
  return Math.ceil(ceiling / 10 + random * ceiling * 0.9)
}
