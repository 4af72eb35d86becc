import { formatAmount } from '../domain/money.ts'
import { openLogFile, type AppendOutcome, type LogFile, type Position } from './log-file.ts'
import { PaymentBook } from './payment-book.ts'
import { BANK_CURRENCY, readRecord, sameOrder } from './payment-record.ts'
import type { PaymentOrder, PaymentRecord, PaymentResult } from './payment-record.ts'
import { scenarioOf } from './scenarios.ts'

/** `unknown`: the log may or may not hold it; a restart tells. `unavailable`: certainly not executed. */
export type Unsettled =
  | { readonly outcome: 'unknown'; readonly why: string }
  | { readonly outcome: 'unavailable'; readonly why: string }

export type Submission =
  | { readonly outcome: 'recorded' | 'already-recorded'; readonly record: PaymentRecord }
  | { readonly outcome: 'reference-reused' }
  | Unsettled

export type Inquiry =
  | { readonly outcome: 'found'; readonly record: PaymentRecord }
  | { readonly outcome: 'not-found' }
  | Unsettled

export type Listing =
  | {
      readonly outcome: 'listed'
      readonly count: number
      readonly totalAmount: string
      readonly records: PaymentRecord[]
      readonly next: number | undefined
    }
  | { readonly outcome: 'beyond-the-end' }
  | Unsettled

/** Opens the bank on its log and rebuilds its index from it; refuses a log that is not its own. */
export async function openPaymentBank(logFile: string): Promise<PaymentBank> {
  const book = new PaymentBook()
  const log = await openLogFile(logFile, (line, position) => book.add(readRecord(line), position))
  return new PaymentBank(log, book)
}

/** Executes each reference at most once, and tells of nothing that is not on the disk. */
export class PaymentBank {
  #log: LogFile
  #book: PaymentBook
  // References on their way to the disk. One whose append failed stays: what became of it is unknown.
  #inFlight = new Map<string, Promise<AppendOutcome>>()

  constructor(log: LogFile, book: PaymentBook) {
    this.#log = log
    this.#book = book
  }

  get failure(): Error | undefined {
    return this.#log.failure
  }

  /** Executes or rejects the order, or tells what became of its reference before. */
  async submit(order: PaymentOrder): Promise<Submission> {
    const earlier = this.#inFlight.get(order.reference)
    const earlierOutcome = earlier === undefined ? undefined : await earlier
    if (earlierOutcome === 'unknown' || earlierOutcome === 'refused') return this.#unsettled(earlierOutcome)
    // No await between this look and the entry in #inFlight: that is what makes a reference execute once.
    const position = this.#book.find(order.reference)
    if (position === undefined) return this.#execute(order)
    const record = await this.#read(position)
    return sameOrder(record.order, order)
      ? { outcome: 'already-recorded', record }
      : { outcome: 'reference-reused' }
  }

  /** Tells what became of a reference; one on its way to the disk is waited for, never called unknown. */
  async find(reference: string): Promise<Inquiry> {
    const outcome = await this.#inFlight.get(reference)
    if (outcome === 'unknown' || outcome === 'refused') return this.#unsettled('unknown')
    const position = this.#book.find(reference)
    if (position !== undefined) return { outcome: 'found', record: await this.#read(position) }
    // With the file's state unknown, "never received" would be a guess that lets the client pay again.
    return this.failure === undefined ? { outcome: 'not-found' } : this.#unsettled('unknown')
  }

  /** Lists executed payments in log order, with count and total over the whole log as of the same instant. */
  async list(from: number, limit: number): Promise<Listing> {
    if (this.failure !== undefined) return this.#unsettled('unknown')
    const page = this.#book.page(from, limit)
    if (page === undefined) return { outcome: 'beyond-the-end' }
    const lines = await Promise.all(page.stretches.map((stretch) => this.#log.readLines(stretch)))
    return {
      outcome: 'listed',
      count: page.count,
      totalAmount: formatAmount(page.totalMinor, BANK_CURRENCY),
      records: lines.flat().map(readRecord),
      next: page.next
    }
  }

  /** Finishes what is on its way to the disk and closes the log. */
  close(): Promise<void> {
    return this.#log.close()
  }

  async #execute(order: PaymentOrder): Promise<Submission> {
    const { reference } = order
    const record: PaymentRecord = { kind: 'result', order, result: decide(order) }
    const appending = this.#log.append(JSON.stringify(record), (position) => {
      this.#book.add(record, position)
      this.#inFlight.delete(reference)
    })
    this.#inFlight.set(reference, appending)
    const outcome = await appending
    if (outcome === 'durable') return { outcome: 'recorded', record }
    if (outcome === 'refused') this.#inFlight.delete(reference)
    return this.#unsettled(outcome)
  }

  async #read(position: Position): Promise<PaymentRecord> {
    const [line = ''] = await this.#log.readLines(position)
    return readRecord(line)
  }

  #unsettled(outcome: 'unknown' | 'refused'): Unsettled {
    const why = this.failure?.message ?? 'the log file is not writable'
    return outcome === 'unknown' ? { outcome: 'unknown', why } : { outcome: 'unavailable', why }
  }
}

function decide({ counterparty_iban }: PaymentOrder): PaymentResult {
  const scenario = scenarioOf(counterparty_iban)
  const now = new Date().toISOString()
  switch (scenario.kind) {
    case 'execute':
      return { status: 'EXECUTED', executed_at: now }
    case 'reject':
      return { status: 'REJECTED', reason: scenario.reason, executed_at: null, rejected_at: now }
  }
}
