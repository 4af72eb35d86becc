import type { Context } from '../context.ts'
import { isUnavailable } from '../database/errors.ts'
import { withSpan } from '../telemetry/tracing.ts'
import { BankGate } from './bank-gate.ts'
import { askBank, claimWork, recordClaim, type Claim } from './execute-claim.ts'
import type { Result } from './interpret-answer.ts'

/**
 * Works off due chunks in a few lanes: claim, ask, record. While one lane waits for the database another keeps the
 * bank busy. A hint or a found chunk wakes the idle lanes; without one they look by themselves every POLL_MS.
 */
export class Worker {
  readonly #context: Context
  readonly #gate: BankGate
  readonly #name: string
  readonly #stopping = new AbortController()
  #lanes: Promise<void>[] = []
  #wake = new AbortController()
  #servedLast = 0

  constructor(context: Context, name: string) {
    this.#gate = new BankGate(context)
    this.#context = { ...context, bank: this.#gate }
    this.#name = name
    context.measurements.watched.bankGate = () => this.#gate.look()
  }

  async start(): Promise<void> {
    await this.#context.broker.listen(() => this.wake())
    this.#lanes = Array.from({ length: this.#context.settings.WORKER_LANES }, (_, lane) => this.#run(lane))
  }

  /** Lets idle lanes look for work at once. */
  wake(): void {
    this.#wake.abort()
    this.#wake = new AbortController()
  }

  /** Claims nothing more, and resolves when what is claimed has been recorded. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.wake()
    await Promise.all(this.#lanes)
  }

  async #run(lane: number): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const pause = await this.#step(lane)
      if (pause > 0) await this.#idle(pause)
    }
  }

  /** Works off one claim; returns for how many milliseconds there is nothing to do. */
  async #step(lane: number): Promise<number> {
    const { settings, log, random } = this.#context
    const jittered = settings.POLL_MS * (0.5 + random.fraction())
    // While the bank is left alone nothing is claimed; then one lane tries it with one chunk.
    const { probing } = this.#gate
    const closed_ms = this.#gate.closedForMs()
    if (closed_ms > 0) return closed_ms
    if (probing && lane > 0) return jittered
    try {
      const wake = this.#wake
      const claim = await claimWork(this.#context, `${this.#name}/${lane}`, {
        after: this.#servedLast,
        ...(probing ? { chunk_limit: 1 } : {})
      })
      if (claim === null) return wake.signal.aborted ? 0 : jittered
      this.#servedLast = claim.turn_end
      this.wake()
      await executeClaim(this.#context, claim)
      return 0
    } catch (error) {
      // What was claimed is taken over when its lease ends, by whoever is first.
      this.#context.measurements.workFailures.inc({ part: 'worker' })
      // That the database is away is told once by its connections, not by every lane again and again.
      if (!isUnavailable(error)) log.error({ err: error }, 'a worker lane failed; it goes on in a moment')
      return jittered
    }
  }

  async #idle(pauseMs: number): Promise<void> {
    if (this.#stopping.signal.aborted) return
    await this.#context.clock.sleep(pauseMs, this.#wake.signal)
  }
}

/** Asks the bank about a claim and records what it said. */
export async function executeClaim(context: Context, claim: Claim): Promise<void> {
  const { chunk_nos, transfers } = claim
  const trace_id = transfers[0]?.trace_id
  const about = { bulk_no: claim.bulk_no.toString(), chunk_nos, trace_id }
  const attributes = {
    'bulkhead.bulk_no': about.bulk_no,
    'bulkhead.chunk_nos': chunk_nos,
    'bulkhead.transfer_count': transfers.length
  }
  await withSpan('process claim', { trace_id, kind: 'CONSUMER', attributes }, async () => {
    const results = await askBank(context, claim)
    const status = await withSpan('record results', { trace_id, attributes }, () =>
      recordStubbornly(context, claim, results)
    )
    tellRecorded(context, { ...about, transfers: results.length }, status)
  })
}

function tellRecorded(context: Context, about: object, status: string | null): void {
  if (status === null) {
    context.measurements.claimsLost.inc()
    context.log.warn(about, 'nothing was recorded: the lease was lost, or all was recorded before')
  } else context.log.debug({ ...about, bulk_status: status }, 'recorded')
}

/**
 * Records, and tries again for a while if the database cannot be reached: what the bank said is worth keeping, and the
 * fence makes a second recording harmless.
 */
async function recordStubbornly(context: Context, claim: Claim, results: Result[]): Promise<string | null> {
  const { clock, settings } = context
  const giveUpAtMs = clock.elapsedMs() + settings.LEASE_MS / 2
  for (;;) {
    try {
      return await recordClaim(context, claim, results)
    } catch (error) {
      if (!isUnavailable(error) || clock.elapsedMs() > giveUpAtMs) throw error
      await clock.sleep(250)
    }
  }
}
