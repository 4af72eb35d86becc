import type { Context } from '../context.ts'
import { isUnavailable } from '../database/errors.ts'
import { sealEvents } from './seal-events.ts'

/**
 * Makes what happened visible, in one order: seals new events a moment after their commit. Any number of processes may
 * run one; they seal one at a time.
 */
export class Sealer {
  readonly #context: Context
  readonly #stopping = new AbortController()
  #running: Promise<void> = Promise.resolve()

  constructor(context: Context) {
    this.#context = context
  }

  start(): void {
    this.#running = this.#run()
  }

  /** Begins nothing more, and resolves when what is under way is done. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, settings } = this.#context
    while (!this.#stopping.signal.aborted) {
      const sealed = await this.#seal()
      // Events are to be seen within the second, and an idle look costs one index page.
      if (sealed === 0) await clock.sleep(settings.POLL_MS / 4, this.#stopping.signal)
    }
  }

  async #seal(): Promise<number> {
    try {
      return await sealEvents(this.#context.db)
    } catch (error) {
      this.#context.measurements.workFailures.inc({ part: 'sealer' })
      // That the database is away is told once by its connections.
      if (!isUnavailable(error))
        this.#context.log.error({ err: error }, 'events could not be sealed; it is tried again in a moment')
      return 0
    }
  }
}
