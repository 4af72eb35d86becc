import type { Log } from './log.ts'

/** Without a failure for so long, what goes well again is no longer a lucky moment of an outage. */
const calmMs = 2_000

/**
 * Logs an outage once when it begins and once when it is over, however many calls meet it: one of 10 s made 154 lines
 * when every lane, connection and request told of it by itself.
 */
export function createOutageLog(log: Log, what: string, elapsedMs = () => performance.now()) {
  let outage: { beganMs: number; lastMs: number; failures: number } | undefined
  return {
    failed(error: unknown): void {
      const nowMs = elapsedMs()
      if (outage === undefined) log.error({ err: error }, `${what} is not available; trying again and again`)
      outage ??= { beganMs: nowMs, lastMs: nowMs, failures: 0 }
      outage.lastMs = nowMs
      outage.failures += 1
    },
    wentWell(): void {
      if (outage === undefined || elapsedMs() - outage.lastMs < calmMs) return
      const { beganMs, lastMs, failures } = outage
      outage = undefined
      log.info({ failures, lasted_ms: Math.round(lastMs - beganMs) }, `${what} is available again`)
    }
  }
}
