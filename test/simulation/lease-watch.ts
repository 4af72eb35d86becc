import type { QueryResultRow } from 'pg'
import type { NamedQuery } from '../../src/database/statement.ts'
import { valuesOf, type Values } from './boundaries/describe-statement.ts'

/** Who holds a chunk: the epoch of its last claim, and until when; null once that claim has been recorded. */
interface Lease {
  epoch: number
  endsMs: number | null
}

/**
 * Watches the statements that claim, renew and record, in the order in which they happen: a chunk is claimed only when
 * nobody holds it, and who has lost it changes nothing. What a broken fence does to the money is far rarer to see.
 */
export class LeaseWatch {
  readonly #leases = new Map<string, Lease>()

  /** Returns what is wrong with what a statement has just done, or null. */
  findWrong(query: NamedQuery, rows: QueryResultRow[], nowMs: number): string | null {
    const values = valuesOf(query)
    const endsMs = nowMs + Number(values['lease_ms'])
    switch (query.name) {
      case 'claim-chunks':
        return firstWrong(rows, (row) => this.#claim(row as Claimed, nowMs, endsMs))
      case 'renew-leases':
        return firstWrong(rows, (row) => this.#change(values, row as Changed, endsMs))
      case 'record-results':
        return firstWrong(rows, (row) => this.#change(values, row as Changed, null))
      default:
        return null
    }
  }

  #claim({ bulk_no, chunk_no, epoch }: Claimed, nowMs: number, endsMs: number): string | null {
    const chunk = `${bulk_no}/${chunk_no}`
    const held = this.#leases.get(chunk)
    this.#leases.set(chunk, { epoch, endsMs })
    return held && nowMs < (held.endsMs ?? 0) ? `chunk ${chunk} was claimed while another held it` : null
  }

  #change(values: Values, { chunk_no }: Changed, endsMs: number | null): string | null {
    const chunk = `${String(values['bulk_no'])}/${chunk_no}`
    const place = (values['chunk_nos'] as number[]).indexOf(chunk_no)
    const epoch = (values['epochs'] as number[])[place]
    const current = this.#leases.get(chunk)
    if (epoch !== current?.epoch)
      return `who lost chunk ${chunk} changed it: epoch ${epoch ?? '-'}, now ${current?.epoch ?? '-'}`
    if (current?.endsMs === null) return `chunk ${chunk} had been recorded, and was changed again`
    this.#leases.set(chunk, { epoch: epoch ?? 0, endsMs })
    return null
  }
}

interface Changed {
  chunk_no: number
}
interface Claimed extends Changed {
  bulk_no: bigint
  epoch: number
}

function firstWrong<T>(rows: T[], findWrong: (row: T) => string | null): string | null {
  return rows.map(findWrong).find((wrong) => wrong !== null) ?? null
}
