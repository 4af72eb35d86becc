import type { Context } from '../context.ts'
import { isUnavailable } from '../database/errors.ts'
import { keptDays } from './deliveries.ts'
import { deliver, prepareDeliveries, takeDeliveries, type Delivery } from './deliver.ts'
import { purgeDeliveries } from './dispatch-queries.ts'

const purgeEveryMs = 3_600_000

/** For how long a stop waits for receivers that are slow. */
const patienceMs = 3_000

/**
 * Tells the organizations' systems what happened: looks for sealed events and for deliveries that are due, and sends
 * as many at one time as it has slots, divided so that endpoints that fail or are slow don't delay the others. Any
 * number may run.
 */
export class Dispatcher {
  readonly #context: Context
  readonly #stopping = new AbortController()
  readonly #underWay = { failing: new Set<Promise<void>>(), working: new Set<Promise<void>>() }
  #running: Promise<void> = Promise.resolve()
  #wake = new AbortController()
  #purgedAtMs = -Infinity

  constructor(context: Context) {
    this.#context = context
  }

  start(): void {
    this.#running = this.#run()
  }

  /** Takes nothing more, and resolves when what is under way is recorded, or after a moment: then it is sent again. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#wake.abort()
    await this.#running
    const ended = new AbortController()
    const underWay = Promise.all([...this.#underWay.failing, ...this.#underWay.working])
    await Promise.race([underWay, this.#context.clock.sleep(patienceMs, ended.signal)])
    ended.abort()
  }

  async #run(): Promise<void> {
    const { clock, settings, random, log } = this.#context
    while (!this.#stopping.signal.aborted) {
      this.#wake = new AbortController()
      try {
        await this.#purgeNowAndThen()
        await prepareDeliveries(this.#context)
        await this.#beginDue()
      } catch (error) {
        this.#context.measurements.workFailures.inc({ part: 'webhooks' })
        // That the database is away is told once by its connections.
        if (!isUnavailable(error))
          log.error({ err: error }, 'webhooks could not be looked after; it goes on in a moment')
      }
      // Whatever ends wakes this up: its endpoint may have more to be told.
      await clock.sleep(settings.POLL_MS * (0.5 + random.fraction()), this.#wake.signal)
    }
  }

  /**
   * Endpoints that fail have one half of the slots. Of the others, each may have a few of the first quarter under way;
   * what is left is for those that have none. So slow ones, too, take a slot each at most when there are many.
   */
  async #beginDue(): Promise<void> {
    const quarter = Math.ceil(this.#context.settings.WEBHOOK_CONNECTIONS / 4)
    await this.#begin('working', { most: quarter, per_endpoint: 4 })
    await this.#begin('working', { most: 2 * quarter, per_endpoint: 1 })
    await this.#begin('failing', { most: 2 * quarter, per_endpoint: 1 })
  }

  async #begin(kind: 'failing' | 'working', limit: { most: number; per_endpoint: number }): Promise<void> {
    const underWay = this.#underWay[kind]
    const slots = limit.most - underWay.size
    if (slots <= 0) return
    const { per_endpoint } = limit
    const taken = await takeDeliveries(this.#context, { failing: kind === 'failing', slots, per_endpoint })
    for (const delivery of taken) {
      const sent = this.#deliver(delivery).finally(() => {
        underWay.delete(sent)
        this.#wake.abort()
      })
      underWay.add(sent)
    }
  }

  /** One that cannot be recorded is sent again when its lease ends. */
  async #deliver(delivery: Delivery): Promise<void> {
    try {
      await deliver(this.#context, delivery)
    } catch (error) {
      const about = { err: error, webhook_id: delivery.webhook_id, trace_id: delivery.trace_id }
      this.#context.log.error(about, 'a webhook could not be sent or recorded; it is sent again')
    }
  }

  async #purgeNowAndThen(): Promise<void> {
    const now_ms = this.#context.clock.elapsedMs()
    if (now_ms - this.#purgedAtMs < purgeEveryMs) return
    this.#purgedAtMs = now_ms
    const limit = 1_000
    for (;;) {
      // A day more, so that what was to be recovered on the last day is still known when its turn comes.
      const [row] = await purgeDeliveries(this.#context.db, { days: keptDays + 1, limit })
      if (!row || row.purged < BigInt(limit)) return
    }
  }
}
