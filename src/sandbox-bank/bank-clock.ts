interface Due {
  readonly dueMs: number
  readonly act: () => void | Promise<void>
}

const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * The bank's own clock, and what falls due on it. It runs with the real one and can be moved forward; in either case
 * what falls due happens in the order of its due times.
 */
export class BankClock {
  #aheadMs: number
  #due: Due[] = []
  #timer: NodeJS.Timeout | undefined
  #turn: Promise<void> = Promise.resolve()
  #stopped = false

  /** Starts no earlier than `startMs`: a bank that was moved forward writes no times before those in its log. */
  constructor(startMs = 0) {
    this.#aheadMs = Math.max(0, startMs - Date.now())
  }

  /** Milliseconds since 1970, by this clock. */
  nowMs(): number {
    return Date.now() + this.#aheadMs
  }

  /** The time as it is written, in the log and on the wire. */
  now(): string {
    return new Date(this.nowMs()).toISOString()
  }

  /** Lets `act` happen at a time, at once if it has passed; gives back what cancels it. */
  at(dueMs: number, act: Due['act']): () => void {
    const due = { dueMs, act }
    this.#due.splice(this.#due.findLastIndex((other) => other.dueMs <= dueMs) + 1, 0, due)
    this.#setTimer()
    return () => {
      const place = this.#due.indexOf(due)
      if (place !== -1) this.#due.splice(place, 1)
    }
  }

  /** Moves the clock forward; everything that falls due on the way has happened when it settles. */
  advance(ms: number): Promise<void> {
    this.#turn = this.#turn.then(() => this.#runUntil(this.nowMs() + ms))
    return this.#turn
  }

  /** Lets nothing more happen, and waits for what is happening. */
  stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    return this.#turn
  }

  async #runUntil(targetMs: number): Promise<void> {
    for (let next = this.#due[0]; next !== undefined && next.dueMs <= targetMs; next = this.#due[0]) {
      if (this.#stopped) return
      this.#moveTo(next.dueMs)
      // All whose time has passed by now, together: they share an fsync, in their order.
      const now = this.nowMs()
      const later = this.#due.findIndex(({ dueMs }) => dueMs > now)
      const ripe = this.#due.splice(0, later === -1 ? this.#due.length : later)
      await Promise.all(ripe.map(async ({ act }) => act()))
    }
    this.#moveTo(targetMs)
    this.#setTimer()
  }

  #moveTo(ms: number): void {
    this.#aheadMs += Math.max(0, ms - this.nowMs())
  }

  #setTimer(): void {
    clearTimeout(this.#timer)
    const next = this.#due[0]
    if (next === undefined || this.#stopped) return
    const waitMs = Math.max(0, next.dueMs - this.nowMs())
    this.#timer = setTimeout(() => void this.advance(0), Math.min(waitMs, LONGEST_TIMER_MS))
  }
}
