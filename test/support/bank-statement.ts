import type { StatementEntry } from '../../src/banking/connector.ts'
import type { ScriptedBank } from './scripted-bank.ts'

type Line = Partial<StatementEntry> & { reference: string }

export interface ScriptedStatement {
  /** Adds lines, numbered as they come, that agree with aTransfer() but for what is given. */
  book: (lines: Line[]) => void
  /** Every place that was read from, in order. */
  reads: (string | null)[]
  /** Places from which the bank does not show its statement. */
  unavailable: Set<string | null>
}

/** Lets the bank show these lines in pages; a cursor is how many were read. */
export function showStatement(bank: ScriptedBank, lines: Line[], pageSize = 100): ScriptedStatement {
  const entries: StatementEntry[] = []
  const book = (added: Line[]) => {
    for (const line of added) entries.push(anEntry({ entry_no: BigInt(entries.length + 1), ...line }))
  }
  const reads: (string | null)[] = []
  const unavailable = new Set<string | null>()
  bank.readStatement = (cursor) => {
    reads.push(cursor)
    if (unavailable.has(cursor)) return Promise.resolve({ outcome: 'unavailable', cause: 'http-503' })
    const first = Number(cursor ?? 0)
    const page = entries.slice(first, first + pageSize)
    const next = first + page.length
    const has_more = next < entries.length
    return Promise.resolve({ outcome: 'page', entries: page, next_cursor: `${next}`, has_more })
  }
  book(lines)
  return { book, reads, unavailable }
}

function anEntry(line: Line & { entry_no: bigint }): StatementEntry {
  return {
    kind: 'DEBIT',
    amount: '100.00',
    currency: 'EUR',
    counterparty_iban: 'DE89370400440532013000',
    booked_at: new Date('2026-07-01T08:00:00.000Z'),
    reason_code: null,
    reason: null,
    ...line
  }
}
