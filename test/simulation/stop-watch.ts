import type { QueryResultRow } from 'pg'
import type { NamedQuery } from '../../src/database/statement.ts'
import { parseTransferId, transferId } from '../../src/domain/reference.ts'
import { valuesOf } from './boundaries/describe-statement.ts'

interface ClaimedChunk {
  bulk_no: bigint
  bulk_reference: string
  on_failure: string
  transfers: [seq: number, ...rest: string[]][]
}

/**
 * Watches what stopping promises. Of a bulk of on_failure stop nothing is sent after its first failure was recorded; of
 * one that was cancelled nothing that was claimed after that.
 */
export class StopWatch {
  /** References of the bulks that stop at their first failure, and of those that had one. */
  readonly #stopping = new Map<bigint, string>()
  readonly #failed = new Set<string>()
  readonly #cancelled = new Set<bigint>()
  readonly #notToBeSent = new Set<string>()

  see(query: NamedQuery, rows: QueryResultRow[]): void {
    const values = valuesOf(query)
    if (query.name === 'claim-chunks') for (const row of rows) this.#claim(row as ClaimedChunk)
    if (query.name === 'stop-bulk' && values['by_wish'] === true && rows.length > 0)
      this.#cancelled.add(values['bulk_no'] as bigint)
    if (query.name !== 'record-results') return
    const { bulk_no, chunk_nos, statuses } = values
    const isWhole = rows.length === (chunk_nos as number[]).length
    if (isWhole && (statuses as string[]).includes('FAILED'))
      this.#failed.add(this.#stopping.get(bulk_no as bigint) ?? '')
  }

  mayBeSent(reference: string): boolean {
    const bulk_reference = parseTransferId(reference)?.bulk_reference ?? ''
    return !this.#failed.has(bulk_reference) && !this.#notToBeSent.has(reference)
  }

  #claim({ bulk_no, bulk_reference, on_failure, transfers }: ClaimedChunk): void {
    if (on_failure === 'stop') this.#stopping.set(bulk_no, bulk_reference)
    if (!this.#cancelled.has(bulk_no)) return
    for (const [seq] of transfers) this.#notToBeSent.add(transferId(bulk_reference, seq))
  }
}
