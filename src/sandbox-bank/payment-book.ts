import assert from 'node:assert/strict'
import { parseAmount } from '../domain/money.ts'
import type { Position } from './log-file.ts'
import { BANK_CURRENCY } from './payment-order.ts'
import { dueTime } from './payment-plan.ts'
import type { PaymentRecord } from './payment-record.ts'

export interface BookPage {
  readonly stretches: Position[]
  /** The place behind the page, and whether something stands there. */
  readonly next: number
  readonly hasMore: boolean
}

/** A line that brings about another one when its time comes. */
export interface Unfinished {
  readonly record: PaymentRecord
  readonly dueMs: number
}

/**
 * The index over the log: which references are taken, and where the last line of each stands. It keeps positions
 * instead of payments: 1,000,000 of them take some 145 MB of heap and are rebuilt in 5 s.
 */
export class PaymentBook {
  #positions = new Map<string, Position>()
  #executed: Position[] = []
  #entries: Position[] = []
  #totalMinor = 0n
  #unfinished = new Map<string, Unfinished>()

  /** Executed payments. */
  get count(): number {
    return this.#executed.length
  }

  /** The amount of all executed payments, returned ones included. */
  get totalMinor(): bigint {
    return this.#totalMinor
  }

  /** Adds the record that stands at `position`; one that cannot follow its reference's last is a broken log. */
  add(record: PaymentRecord, position: Position): Unfinished | undefined {
    const { reference } = record.order
    if (!this.#mayFollow(record)) throw new Error(`reference ${reference} appears twice`)
    this.#positions.set(reference, position)
    if (record.kind === 'return') this.#entries.push(position)
    else if (record.kind === 'result' && record.result.status === 'EXECUTED') this.#debit(record, position)
    const dueMs = dueTime(record)
    if (dueMs === undefined) {
      this.#unfinished.delete(reference)
      return undefined
    }
    const unfinished = { record, dueMs }
    this.#unfinished.set(reference, unfinished)
    return unfinished
  }

  find(reference: string): Position | undefined {
    return this.#positions.get(reference)
  }

  unfinished(): Iterable<Unfinished> {
    return this.#unfinished.values()
  }

  /** One page of executed payments in log order; undefined when `from` lies beyond the end. */
  payments(from: number, limit: number): BookPage | undefined {
    return pageOf(this.#executed, from, limit)
  }

  /** One page of the account's entries, payments and returns, in log order; undefined beyond the end. */
  entries(from: number, limit: number): BookPage | undefined {
    return pageOf(this.#entries, from, limit)
  }

  #mayFollow({ kind, order }: PaymentRecord): boolean {
    if (!this.#positions.has(order.reference)) return kind !== 'return'
    const before = this.#unfinished.get(order.reference)?.record.kind
    return before === 'acceptance' ? kind === 'result' : before === 'result' && kind === 'return'
  }

  #debit({ order }: PaymentRecord, position: Position): void {
    const parsed = parseAmount(order.amount, BANK_CURRENCY)
    assert(parsed.outcome === 'ok')
    this.#executed.push(position)
    this.#entries.push(position)
    this.#totalMinor += parsed.amount_minor
  }
}

function pageOf(positions: Position[], from: number, limit: number): BookPage | undefined {
  if (from > positions.length) return undefined
  const next = Math.min(from + limit, positions.length)
  return { stretches: joinAdjacent(positions.slice(from, next)), next, hasMore: next < positions.length }
}

// Neighbouring lines are read in one go; only other lines in between split a page into several reads.
function joinAdjacent(positions: Position[]): Position[] {
  const stretches: Position[] = []
  for (const { start, end } of positions) {
    const last = stretches.at(-1)
    if (last?.end === start) stretches[stretches.length - 1] = { start: last.start, end }
    else stretches.push({ start, end })
  }
  return stretches
}
