import { readSettings, type Settings } from '../../src/settings.ts'
import { BankStatement } from './bank-statement.ts'
import { Callbacks } from './callbacks.ts'
import { Dice } from './dice.ts'
import { LeaseWatch } from './lease-watch.ts'
import type { Fault, Options } from './options.ts'
import type { Process } from './process.ts'
import { Retries } from './retries.ts'
import { SimulatedBank } from './simulated-bank.ts'
import type { SimulationDatabase } from './simulation-database.ts'
import type { Site } from './site.ts'
import { StopWatch } from './stop-watch.ts'
import { Submissions } from './submissions.ts'
import { Timeline } from './timeline.ts'

export interface BulkId {
  organization_id: number
  bulk_id: string
}

/** One run: its options, its time and chance, all that takes part in it, and what was found wrong. */
export class World {
  readonly options: Options
  readonly settings: Settings
  readonly dice: Dice
  readonly timeline: Timeline
  readonly database: SimulationDatabase
  readonly bank: SimulatedBank
  readonly statement: BankStatement
  readonly callbacks: Callbacks
  readonly submissions: Submissions
  readonly retries: Retries
  readonly leases = new LeaseWatch()
  readonly stops = new StopWatch()
  readonly workers: Site[] = []
  readonly apis: Site[] = []
  /** Who hears of work. */
  readonly listeners = new Map<Process, () => void>()
  readonly violations: string[] = []
  readonly organizationIds: number[] = []
  /** Since when nothing goes wrong any more. */
  healedMs = Infinity

  constructor(options: Options, database: SimulationDatabase) {
    this.options = options
    this.settings = settingsOf(options)
    this.database = database
    // Not the dice that the options were drawn with: those throws are used up.
    this.dice = new Dice(options.seed + 0x5eed)
    this.timeline = new Timeline(this.dice.fork())
    this.bank = new SimulatedBank(this)
    this.statement = new BankStatement(this)
    this.callbacks = new Callbacks(this)
    this.submissions = new Submissions(this)
    this.retries = new Retries(this)
  }

  get healed(): boolean {
    return this.healedMs < Infinity
  }

  /** Bulks whose acceptance a client has seen. */
  get acceptedBulks(): BulkId[] {
    return [...this.submissions.acceptedBulks, ...this.retries.acceptedBulks]
  }

  get sites(): Site[] {
    return [...this.workers, ...this.apis]
  }

  /** Whether this fault happens now. */
  strikes(fault: Fault): boolean {
    const rate = this.options.rates[fault]
    return rate !== undefined && !this.healed && this.dice.chance(rate)
  }

  /** How long a call or an answer is on its way when nothing is wrong. */
  usualMs(): number {
    return this.dice.between(0, this.options.latency_ms)
  }

  /** Writes down that something is wrong; the run ends there. */
  fail(violation: string): void {
    this.violations.push(violation)
    this.timeline.tell('WRONG', violation)
  }
}

function settingsOf(options: Options): Settings {
  const read = readSettings({ LOG_LEVEL: 'silent' })
  if (read.outcome === 'invalid') throw new Error(read.errors.join('; '))
  return {
    ...read.settings,
    CHUNK_SIZE: options.chunk_size,
    WORKER_LANES: options.lanes,
    LEASE_MS: options.lease_ms,
    POLL_MS: options.poll_ms,
    RECONCILE_EVERY_MS: options.reconcile_every_ms,
    SWEEP_EVERY_MS: 10_000,
    AUDIT_EVERY_MS: options.audit_every_ms,
    BANK_TIMEOUT_MS: options.bank_timeout_ms
  }
}
