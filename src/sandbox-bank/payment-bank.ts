import { formatAmount } from '../domain/money.ts'
import { BankClock } from './bank-clock.ts'
import { openLogFile, type AppendOutcome, type LogFile, type Position } from './log-file.ts'
import { PaymentBook, type BookPage, type Unfinished } from './payment-book.ts'
import { BANK_CURRENCY, sameOrder, type PaymentOrder } from './payment-order.ts'
import { makeResult, nextRecord, timesTold } from './payment-plan.ts'
import { readRecord, timeOf, type Acceptance, type AcceptanceRecord } from './payment-record.ts'
import type { PaymentRecord, Reason, ResultRecord, ReturnRecord } from './payment-record.ts'
import { noticeOf, type Notice } from './present-payment.ts'
import type { Deed, Replacement, Scenario, TransportFault } from './scenario.ts'
import { findScenario } from './scenarios.ts'

/** `unknown`: the log may or may not hold it; a restart tells. `unavailable`: certainly not executed. */
export type Unsettled =
  | { readonly outcome: 'unknown'; readonly why: string }
  | { readonly outcome: 'unavailable'; readonly why: string }

export type Submission =
  | { readonly outcome: 'recorded'; readonly record: ResultRecord; readonly scenario: Scenario | undefined }
  | { readonly outcome: 'already-recorded'; readonly record: ResultRecord | ReturnRecord }
  | { readonly outcome: 'held'; readonly record: AcceptanceRecord }
  | { readonly outcome: 'dropped'; readonly fault: Replacement | TransportFault | undefined }
  | { readonly outcome: 'refused' | 'reference-reused' }
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
      readonly next: number
      readonly hasMore: boolean
    }
  | { readonly outcome: 'beyond-the-end' }
  | Unsettled

/** Takes a notice to whom it concerns; settles once that was tried. */
export type Tell = (notice: Notice) => Promise<void>

/** Opens the bank on its log and goes on with what is unfinished in it; refuses a log that is not its own. */
export async function openPaymentBank(
  logFile: string,
  tell: Tell = () => Promise.resolve()
): Promise<PaymentBank> {
  const book = new PaymentBook()
  let last: PaymentRecord | undefined
  const log = await openLogFile(logFile, (line, position) => {
    last = readRecord(line)
    book.add(last, position)
  })
  const clock = new BankClock(last === undefined ? 0 : Date.parse(timeOf(last)))
  return new PaymentBank(log, book, clock, tell)
}

/** Executes each reference at most once, and tells of nothing that is not on the disk. */
export class PaymentBank {
  readonly clock: BankClock
  readonly tell: Tell
  #log: LogFile
  #book: PaymentBook
  // References on their way to the disk. One whose append failed stays: what became of it is unknown.
  #inFlight = new Map<string, Promise<AppendOutcome>>()
  // References of which one submission was dropped.
  #dropped = new Set<string>()

  constructor(log: LogFile, book: PaymentBook, clock: BankClock, tell: Tell) {
    this.clock = clock
    this.tell = tell
    this.#log = log
    this.#book = book
    for (const unfinished of book.unfinished()) this.#schedule(unfinished)
  }

  get failure(): Error | undefined {
    return this.#log.failure
  }

  /** Does with the order what its payee stands for, or tells what became of its reference before. */
  async submit(order: PaymentOrder): Promise<Submission> {
    const earlier = this.#inFlight.get(order.reference)
    const earlierOutcome = earlier === undefined ? undefined : await earlier
    if (earlierOutcome === 'unknown' || earlierOutcome === 'refused') return this.#unsettled(earlierOutcome)
    // No await between this look and the entry in #inFlight: that is what makes a reference execute once.
    const position = this.#book.find(order.reference)
    if (position === undefined) return this.#begin(order)
    const record = await this.#read(position)
    if (!sameOrder(record.order, order)) return { outcome: 'reference-reused' }
    return record.kind === 'acceptance'
      ? { outcome: 'held', record }
      : { outcome: 'already-recorded', record }
  }

  /** Tells what became of a reference; one on its way to the disk is waited for, never called unknown. */
  async find(reference: string): Promise<Inquiry> {
    const outcome = await this.#inFlight.get(reference)
    if (outcome === 'unknown' || outcome === 'refused') return this.#unsettled('unknown')
    const position = this.#book.find(reference)
    if (position !== undefined) return asInquiry(await this.#read(position))
    // With the file's state unknown, "never received" would be a guess that lets the client pay again.
    return this.failure === undefined ? { outcome: 'not-found' } : this.#unsettled('unknown')
  }

  /** Lists executed payments in log order, with count and total over the whole log as of the same instant. */
  list(from: number, limit: number): Promise<Listing> {
    return this.#listing(this.#book.payments(from, limit))
  }

  /** Lists the account's entries in log order, of which payments are one kind and returns the other. */
  statement(from: number, limit: number): Promise<Listing> {
    return this.#listing(this.#book.entries(from, limit))
  }

  /** Finishes what is on its way to the disk and closes the log. */
  async close(): Promise<void> {
    await this.clock.stop()
    await this.#log.close()
  }

  #begin(order: PaymentOrder): Submission | Promise<Submission> {
    const scenario = findScenario(order.counterparty_iban)
    if (scenario === undefined) return this.#record(order)
    const { deed } = scenario
    switch (deed.kind) {
      case 'execute':
        return this.#record(order, scenario)
      case 'reject':
        return this.#record(order, scenario, deed.reason)
      case 'refuse':
        return { outcome: 'refused' }
      case 'drop-first':
        if (this.#dropped.has(order.reference)) return this.#record(order)
        this.#dropped.add(order.reference)
        return { outcome: 'dropped', fault: deed.fault }
      case 'hold':
        return this.#hold(order, deed)
    }
  }

  async #record(order: PaymentOrder, scenario?: Scenario, rejection?: Reason): Promise<Submission> {
    const result = makeResult(rejection, this.clock.now())
    const record: ResultRecord = { kind: 'result', order, result }
    const outcome = await this.#append(record)
    return outcome === 'durable' ? { outcome: 'recorded', record, scenario } : this.#failed(order, outcome)
  }

  async #hold(order: PaymentOrder, deed: Deed & { kind: 'hold' }): Promise<Submission> {
    const acceptance = accept(deed, this.clock.nowMs())
    const record: AcceptanceRecord = { kind: 'acceptance', order, acceptance }
    const outcome = await this.#append(record)
    return outcome === 'durable' ? { outcome: 'held', record } : this.#failed(order, outcome)
  }

  #append(record: PaymentRecord): Promise<AppendOutcome> {
    const { reference } = record.order
    const appending = this.#log.append(JSON.stringify(record), (position) => {
      const unfinished = this.#book.add(record, position)
      this.#inFlight.delete(reference)
      if (unfinished !== undefined) this.#schedule(unfinished)
    })
    this.#inFlight.set(reference, appending)
    return appending
  }

  #failed({ reference }: PaymentOrder, outcome: 'unknown' | 'refused'): Unsettled {
    if (outcome === 'refused') this.#inFlight.delete(reference)
    return this.#unsettled(outcome)
  }

  #schedule({ record, dueMs }: Unfinished): void {
    this.clock.at(dueMs, () => this.#goOn(record))
  }

  async #goOn(record: PaymentRecord): Promise<void> {
    const next = nextRecord(record, this.clock.now())
    const outcome = await this.#append(next)
    if (outcome !== 'durable') {
      this.#failed(next.order, outcome)
      return
    }
    const notice = noticeOf(next)
    for (let times = timesTold(next); times > 0; times -= 1) void this.tell(notice)
  }

  async #read(position: Position): Promise<PaymentRecord> {
    const [line = ''] = await this.#log.readLines(position)
    return readRecord(line)
  }

  async #listing(page: BookPage | undefined): Promise<Listing> {
    if (this.failure !== undefined) return this.#unsettled('unknown')
    if (page === undefined) return { outcome: 'beyond-the-end' }
    const totalAmount = formatAmount(this.#book.totalMinor, BANK_CURRENCY)
    const { count } = this.#book
    const { next, hasMore, stretches } = page
    const lines = await Promise.all(stretches.map((stretch) => this.#log.readLines(stretch)))
    return { outcome: 'listed', count, totalAmount, records: lines.flat().map(readRecord), next, hasMore }
  }

  #unsettled(outcome: 'unknown' | 'refused'): Unsettled {
    const why = this.failure?.message ?? 'the log file is not writable'
    return outcome === 'unknown' ? { outcome: 'unknown', why } : { outcome: 'unavailable', why }
  }
}

function accept({ inquiry, planned }: Deed & { kind: 'hold' }, nowMs: number): Acceptance {
  const accepted_at = new Date(nowMs).toISOString()
  if (planned === undefined) return { accepted_at, inquiry }
  const { after_s, reason } = planned
  const due_at = new Date(nowMs + after_s * 1000).toISOString()
  return { accepted_at, inquiry, planned: reason === undefined ? { due_at } : { due_at, reason } }
}

function asInquiry(record: PaymentRecord): Inquiry {
  if (record.kind !== 'acceptance') return { outcome: 'found', record }
  switch (record.acceptance.inquiry) {
    case 'pending':
      return { outcome: 'found', record }
    case 'not-found':
      return { outcome: 'not-found' }
    case 'unknown':
      return { outcome: 'unknown', why: 'its payee is the scenario that says so, now and always' }
  }
}
