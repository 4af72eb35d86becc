import type { BankAnswer, BankConnector, CallOptions, PaymentOrder } from '../banking/connector.ts'
import type { Context } from '../context.ts'
import { backoffMs, longestRetryAfterMs } from '../domain/backoff.ts'
import type { BankGateState } from '../telemetry/watched.ts'

/** Failures in a row, with no word of the bank in between, after which it is left alone. */
const failuresToClose = 20
/** Longest that a bank is left alone before it is tried again: short, since one call at a time tries it. */
const longestClosingMs = 10_000
/** Calls that go wrong again and again: a tenth of the first calls, and this many a second so that it never ends. */
const retryShare = 0.1
const retriesPerSecond = 10
const mostRetriesSaved = 100

/**
 * Stands before a bank and makes calls wait or not be made, so that a bank in trouble is not buried:
 * - a circuit breaker: after many failures in a row no call is made for a while, then one at a time until one goes well;
 * - Retry-After holds for every call, not only for the one that was told;
 * - after trouble the number of calls at one time starts at one again and grows by one with every good answer;
 * - a budget of retries: one that fails is paid for, one that goes well is not, so that recovery is not held up.
 * What is not called is answered with not-asked, and costs no attempt.
 */
export class BankGate implements BankConnector {
  readonly #context: Context
  readonly #most: number
  #allowed: number
  #underWay = 0
  #waiting: ((open: boolean) => void)[] = []
  #failures = 0
  #closings = 0
  /** Of whatever reason, since the start. */
  #closedSoOften = 0
  #closedUntilMs = 0
  #retries = mostRetriesSaved
  #savedAtMs: number

  constructor(context: Context) {
    this.#context = context
    this.#most = context.settings.BANK_CONNECTIONS
    this.#allowed = this.#most
    this.#savedAtMs = context.clock.elapsedMs()
  }

  get abilities() {
    return this.#context.bank.abilities
  }

  submit(order: PaymentOrder, options?: CallOptions): Promise<BankAnswer> {
    return this.#pass(options, () => this.#context.bank.submit(order, options))
  }

  inquire(order: PaymentOrder, options?: CallOptions): Promise<BankAnswer> {
    return this.#pass(options, () => this.#context.bank.inquire(order, options))
  }

  readStatement(cursor: string | null) {
    return this.#context.bank.readStatement(cursor)
  }

  ping(): Promise<boolean> {
    return this.#context.bank.ping()
  }

  close(): Promise<void> {
    return this.#context.bank.close()
  }

  /** For how many milliseconds the bank is left alone; 0 when calls are made. */
  closedForMs(): number {
    return Math.max(0, this.#closedUntilMs - this.#context.clock.elapsedMs())
  }

  /** Whether no call went well since the bank was last left alone. */
  get probing(): boolean {
    return this.#closings > 0
  }

  /** How it stands, to be measured. */
  look(): BankGateState {
    return {
      // Also while a probe is under way, which a bank that hangs makes long.
      closed: this.closedForMs() > 0 || this.probing,
      closings: this.#closedSoOften,
      allowed: this.#allowed,
      underWay: this.#underWay,
      waiting: this.#waiting.length
    }
  }

  async #pass(options: CallOptions | undefined, call: () => Promise<BankAnswer>): Promise<BankAnswer> {
    const again = options?.again ?? false
    if (this.closedForMs() > 0) return this.#notAsked()
    if (this.#underWay >= this.#allowed) {
      if (!(await new Promise<boolean>((resolve) => this.#waiting.push(resolve)))) return this.#notAsked()
    } else this.#underWay += 1
    try {
      if (options?.mayCall() === false) return this.#notAsked()
      // Paid for at the last moment, so that what is not called costs nothing.
      if (again && !this.#spendRetry()) return { outcome: 'not-asked', retry_after_ms: 1_000 }
      const answer = await call()
      this.#learn(answer, { again, fresh: options?.fresh ?? true })
      return answer
    } finally {
      this.#underWay -= 1
      this.#letIn()
    }
  }

  #notAsked(): BankAnswer {
    return { outcome: 'not-asked', retry_after_ms: Math.ceil(this.closedForMs()) }
  }

  #letIn(): void {
    const open = this.closedForMs() === 0
    while (this.#waiting.length > 0 && (!open || this.#underWay < this.#allowed)) {
      if (open) this.#underWay += 1
      this.#waiting.shift()?.(open)
    }
  }

  #learn(answer: BankAnswer, { again, fresh }: { again: boolean; fresh: boolean }): void {
    switch (answer.outcome) {
      case 'not-asked':
        return
      case 'unknown':
        // A few dozen payments that the bank never tells about kept everybody's waiting: their inquiries fail for ever.
        if (fresh) this.#countFailure()
        return
      case 'not-accepted':
        if (answer.retry_after_ms === undefined) this.#countFailure()
        else this.#closeFor(Math.min(answer.retry_after_ms, longestRetryAfterMs))
        return
      default:
        if (this.probing) this.#context.log.info({ closings: this.#closings }, 'the bank answers again')
        this.#failures = 0
        this.#closings = 0
        this.#allowed = Math.min(this.#most, this.#allowed + 1)
        this.#retries += again ? 1 : retryShare
    }
  }

  #countFailure(): void {
    // What was under way when it was closed says nothing new.
    if (this.closedForMs() > 0) return
    this.#failures += 1
    if (this.#failures < failuresToClose && !this.probing) return
    this.#closings += 1
    // Told once for each time without an answer, not at every probe that fails.
    if (this.#closings === 1)
      this.#context.log.warn({ failures: this.#failures }, 'the bank is left alone until it answers')
    this.#closeFor(backoffMs(this.#closings, this.#context.random.fraction(), 1_000, longestClosingMs))
  }

  #closeFor(ms: number): void {
    // Of one trouble all calls that are under way are told; it counts once.
    const known = this.closedForMs() > 0
    this.#closedUntilMs = Math.max(this.#closedUntilMs, this.#context.clock.elapsedMs() + ms)
    if (known) return
    this.#closedSoOften += 1
    this.#failures = 0
    this.#allowed = this.probing ? 1 : Math.max(1, Math.floor(this.#allowed / 2))
  }

  #spendRetry(): boolean {
    const nowMs = this.#context.clock.elapsedMs()
    const earned = ((nowMs - this.#savedAtMs) / 1000) * retriesPerSecond
    this.#retries = Math.min(mostRetriesSaved, this.#retries + earned)
    this.#savedAtMs = nowMs
    if (this.#retries < 1) return false
    this.#retries -= 1
    return true
  }
}
