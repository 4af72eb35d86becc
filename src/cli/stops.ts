import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../telemetry/log.ts'

/** Longest time that a whole stop takes; what is not recorded by then is taken over after its lease. */
export const stopDeadlineMs = 30_000

/** Longest that each part may take to stop: together less than the whole, so that the last one has its time, too. */
export const partDeadlinesMs = {
  api: 4_000,
  monitoring: 500,
  housekeeper: 2_000,
  // A receiver that does not answer is told again later.
  webhooks: 2_000,
  // Waits for calls that are under way: a bank that hangs is given up after BANK_TIMEOUT_MS, 10 s if not set.
  worker: 11_000,
  sealer: 1_000,
  connections: 2_000,
  'sandbox bank': 2_000,
  database: 5_000
} as const
export type Part = keyof typeof partDeadlinesMs

/** Stops in the reverse order of the starts, whatever of it had been started. */
export type Stops = { what: Part; stop: () => Promise<unknown> }[]

/** Stops every part, the last started first. One that hangs is left behind and does not keep the others up. */
export async function takeDown(stops: Stops, log: Log): Promise<void> {
  for (const { what, stop } of stops.splice(0).reverse())
    try {
      await inTime(stop(), partDeadlinesMs[what])
    } catch (error) {
      log.error({ err: error, what }, 'a part did not stop cleanly')
    }
}

async function inTime(stopped: Promise<unknown>, deadlineMs: number): Promise<void> {
  const timer = new AbortController()
  const late = sleep(deadlineMs, undefined, { signal: timer.signal }).then(
    () => Promise.reject(new Error(`not stopped within ${deadlineMs} ms`)),
    () => undefined
  )
  await Promise.race([stopped, late]).finally(() => timer.abort())
}
