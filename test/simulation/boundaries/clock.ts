import type { Clock } from '../../../src/context.ts'
import type { Process } from '../process.ts'
import type { World } from '../world.ts'

const hourMs = 3_600_000

/** A process's own clock, which may be an hour wrong. Its timers are as long as they should be. */
export function wearClock(world: World, process: Process): Clock {
  const { timeline } = world
  const wrongByMs = world.strikes('clock_skew') ? world.dice.between(-hourMs, hourMs) : 0
  const bootedMs = timeline.nowMs
  return {
    nowMs: () => timeline.nowMs + wrongByMs,
    elapsedMs: () => timeline.nowMs - bootedMs,
    sleep(ms, signal) {
      if (signal?.aborted) return Promise.resolve()
      return new Promise((resolve) => {
        const callOff = process.deliver(ms, resolve)
        signal?.addEventListener('abort', () => {
          callOff()
          resolve()
        })
      })
    }
  }
}
