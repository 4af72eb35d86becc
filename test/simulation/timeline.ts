import type { Dice } from './dice.ts'

interface Happening {
  dueMs: number
  /** Decides between what is due at the same time. */
  draw: number
  run: () => void | Promise<void>
  cancelled: boolean
}

/** Far more than any run needs: it is going round in circles. */
const mostHappenings = 100_000

export const startMs = Date.UTC(2026, 0, 5, 8)

/**
 * Virtual time, and the one place where things happen: one at a time, the earliest first, by chance if several are
 * due at once. After each it waits until all code that it woke has run to its next call of the outside world. So a
 * run is a function of its seed.
 */
export class Timeline {
  nowMs = startMs
  readonly trace: string[] = []
  readonly #dice: Dice
  readonly #happenings: Happening[] = []
  #count = 0

  constructor(dice: Dice) {
    this.#dice = dice
  }

  /** Lets something happen after some time; returns a function that calls it off. */
  after(ms: number, run: Happening['run']): () => void {
    const happening = {
      dueMs: this.nowMs + Math.round(ms),
      draw: this.#dice.fraction(),
      run,
      cancelled: false
    }
    const place = this.#happenings.findLastIndex((other) => isBefore(happening, other))
    this.#happenings.splice(place + 1, 0, happening)
    return () => (happening.cancelled = true)
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve))
  }

  /** Runs until `done`, or for so long in virtual time, or until nothing is left to happen; returns whether done. */
  async run(done: () => boolean, limitMs: number): Promise<boolean> {
    const endMs = this.nowMs + limitMs
    while (!done()) {
      const next = this.#happenings.pop()
      if (next === undefined) return done()
      if (next.cancelled) continue
      if (next.dueMs > endMs) {
        this.#happenings.push(next)
        this.nowMs = endMs
        return false
      }
      this.nowMs = next.dueMs
      this.#count += 1
      if (this.#count > mostHappenings) throw new Error('it does not come to an end')
      await next.run()
      // Microtasks all run before an immediate: by then every caller that was answered has asked for its next thing.
      await new Promise(setImmediate)
    }
    return true
  }

  /** Writes a line of the story. */
  tell(who: string, what: string): void {
    this.trace.push(`${((this.nowMs - startMs) / 1000).toFixed(3).padStart(8)} ${who.padEnd(10)} ${what}`)
  }
}

/** The list is in descending order, so that the next is its last. */
function isBefore(one: Happening, other: Happening): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.draw < other.draw)
}
