import type { Context } from '../context.ts'
import { isUnavailable } from '../database/errors.ts'
import { settleNotices } from '../execution/notices.ts'
import type { BankLog } from '../verification/bank-log.ts'
import { audit } from './audit.ts'
import { ensureJob, putJob, takeJob } from './queries.ts'
import { notReconciled, reconcile, type Reconciled } from './reconcile.ts'
import { sweep } from './sweep.ts'

interface Job {
  name: string
  every_ms: number
  /** Does it, and returns what is to be remembered and told. */
  run: (state: object) => Promise<{ state: object; result: string }>
}

/** A job whose process died is taken over after this long without a word of it. */
const jobLeaseMs = 60_000

/**
 * Looks after what no claim does: settles what the bank told by itself, compares its statement with the ledger, looks
 * for what is stuck, and lets the checker run. Any number may run; a job is done by one of them at a time.
 */
export class Housekeeper {
  readonly #context: Context
  readonly #jobs: Job[]
  readonly #stopping = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #ready = false

  constructor(context: Context, bankLog: BankLog) {
    this.#context = context
    this.#jobs = jobsOf(context, bankLog, this.#stopping.signal).filter(({ every_ms }) => every_ms > 0)
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
    const { clock, settings, random } = this.#context
    while (!this.#stopping.signal.aborted) {
      let settled = 0
      // Each for itself: a notice that cannot be settled must not keep the checker from running.
      await this.#attempt(async () => void (settled = await settleNotices(this.#context)))
      await this.#attempt(() => this.#doDueJob())
      const pause_ms = settled > 0 ? 50 : settings.POLL_MS * (0.5 + random.fraction())
      await clock.sleep(pause_ms, this.#stopping.signal)
    }
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#context.measurements.workFailures.inc({ part: 'notices' })
      if (!isUnavailable(error))
        this.#context.log.error({ err: error }, 'housekeeping failed; it goes on in a moment')
    }
  }

  async #doDueJob(): Promise<void> {
    const names = this.#jobs.map(({ name }) => name)
    if (!this.#ready)
      for (const { name, every_ms } of this.#jobs) await ensureJob(this.#context.db, { name, every_ms })
    this.#ready = true
    const [taken] = await takeJob(this.#context.db, { names, lease_ms: jobLeaseMs })
    const job = this.#jobs.find(({ name }) => name === taken?.name)
    if (taken === undefined || job === undefined) return
    const { name, every_ms } = job
    const { state, result, done } = await this.#try(job, taken.state as object)
    await putJob(this.#context.db, {
      name,
      state: JSON.stringify(state),
      result,
      due_in_ms: every_ms,
      taken: false,
      done
    })
    this.#context.log.debug({ job: name, result }, 'job ended')
  }

  /** One that fails is tried again when it is due the next time, from where it was. */
  async #try(job: Job, state: object): Promise<{ state: object; result: string; done: boolean }> {
    try {
      return { ...(await job.run(state)), done: true }
    } catch (error) {
      this.#context.measurements.workFailures.inc({ part: job.name })
      if (!isUnavailable(error)) this.#context.log.error({ err: error, job: job.name }, 'a job failed')
      return { state, result: 'failed; the log says why', done: false }
    }
  }
}

function jobsOf(context: Context, bankLog: BankLog, stopping: AbortSignal): Job[] {
  const { RECONCILE_EVERY_MS, SWEEP_EVERY_MS, AUDIT_EVERY_MS } = context.settings
  return [
    {
      name: 'reconcile',
      every_ms: RECONCILE_EVERY_MS,
      run: async (state) => {
        const keep = async (reached: Reconciled, result: string) => {
          const kept = {
            name: 'reconcile',
            state: JSON.stringify(reached),
            result,
            due_in_ms: jobLeaseMs,
            taken: true,
            done: false
          }
          await putJob(context.db, kept)
          return stopping.aborted ? ('stop' as const) : ('go-on' as const)
        }
        const { reached, result } = await reconcile(context, { ...notReconciled, ...state }, keep)
        return { state: reached, result }
      }
    },
    {
      name: 'sweep',
      every_ms: SWEEP_EVERY_MS,
      run: async () => ({ state: {}, result: await sweep(context) })
    },
    {
      name: 'audit',
      every_ms: AUDIT_EVERY_MS,
      run: async () => ({ state: {}, result: await audit(context, bankLog) })
    }
  ]
}
