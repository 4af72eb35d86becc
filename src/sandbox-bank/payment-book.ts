import assert from 'node:assert/strict'
import { parseAmount } from '../domain/money.ts'
import type { Position } from './log-file.ts'
import { BANK_CURRENCY, type PaymentRecord } from './payment-record.ts'

export interface BookPage {
  readonly count: number
  readonly totalMinor: bigint
  readonly stretches: Position[]
  readonly next: number | undefined
}

/**
 * The index over the log: which references are settled, and where their lines stand. It keeps positions
 * instead of payments: 1,000,000 of them take some 135 MB of heap and are rebuilt in 5 s.
 */
export class PaymentBook {
  #positions = new Map<string, Position>()
  #executed: Position[] = []
  #totalMinor = 0n

  /** Adds the record that stands at `position`; a second record of one reference is a broken log. */
  add({ order, result }: PaymentRecord, position: Position): void {
    if (this.#positions.has(order.reference)) throw new Error(`reference ${order.reference} appears twice`)
    this.#positions.set(order.reference, position)
    if (result.status !== 'EXECUTED') return
    const parsed = parseAmount(order.amount, BANK_CURRENCY)
    assert(parsed.outcome === 'ok')
    this.#executed.push(position)
    this.#totalMinor += parsed.amount_minor
  }

  find(reference: string): Position | undefined {
    return this.#positions.get(reference)
  }

  /** One page of executed payments in log order; undefined when `from` lies beyond the end. */
  page(from: number, limit: number): BookPage | undefined {
    const count = this.#executed.length
    if (from > count) return undefined
    const to = Math.min(from + limit, count)
    return {
      count,
      totalMinor: this.#totalMinor,
      stretches: joinAdjacent(this.#executed.slice(from, to)),
      next: to < count ? to : undefined
    }
  }
}

// Neighbouring lines are read in one go; only rejections in between split a page into several reads.
function joinAdjacent(positions: Position[]): Position[] {
  const stretches: Position[] = []
  for (const { start, end } of positions) {
    const last = stretches.at(-1)
    if (last?.end === start) stretches[stretches.length - 1] = { start: last.start, end }
    else stretches.push({ start, end })
  }
  return stretches
}
