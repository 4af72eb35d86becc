import type { StatementEntry } from '../../src/banking/connector.ts'
import type { ScriptedBank } from './scripted-bank.ts'

/** A line of the bank's statement that agrees with aTransfer(), but for what is given. */
export function anEntry(entry: Partial<StatementEntry> & { reference: string }): StatementEntry {
  return {
    entry_no: 1n,
    kind: 'DEBIT',
    amount: '100.00',
    currency: 'EUR',
    counterparty_iban: 'DE89370400440532013000',
    booked_at: new Date('2026-07-01T08:00:00.000Z'),
    reason_code: null,
    reason: null,
    ...entry
  }
}

export interface ScriptedStatement {
  entries: StatementEntry[]
  /** Every place that was read from, in order. */
  reads: (string | null)[]
  /** Places from which the bank does not show its statement. */
  unavailable: Set<string | null>
}

/** Lets the bank show these lines, numbered as they come, in pages; a cursor is how many were read. */
export function showStatement(
  bank: ScriptedBank,
  lines: (Partial<StatementEntry> & { reference: string })[],
  pageSize = 100
): ScriptedStatement {
  const entries = lines.map((line, index) => anEntry({ entry_no: BigInt(index + 1), ...line }))
  const statement: ScriptedStatement = { entries, reads: [], unavailable: new Set() }
  bank.readStatement = (cursor) => {
    statement.reads.push(cursor)
    if (statement.unavailable.has(cursor))
      return Promise.resolve({ outcome: 'unavailable', cause: 'http-503' })
    const first = Number(cursor ?? 0)
    const page = statement.entries.slice(first, first + pageSize)
    const next = first + page.length
    return Promise.resolve({
      outcome: 'page',
      entries: page,
      next_cursor: `${next}`,
      has_more: next < statement.entries.length
    })
  }
  return statement
}
