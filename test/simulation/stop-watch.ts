import type { QueryResultRow } from 'pg'
import type { NamedQuery } from '../../src/database/statement.ts'
import { parseTransferId, transferId } from '../../src/domain/reference.ts'
import { valuesOf } from './boundaries/describe-statement.ts'

interface ClaimedChunk {
  bulk_no: bigint
  bulk_reference: string
  epoch: number
  status: string
  on_failure: string
  transfers: [seq: number, ...rest: string[]][]
}

/**
 * Watches what stopping promises. Of a bulk of on_failure stop nothing is first sent after its first failure was
 * recorded; of one that was cancelled nothing that was claimed after that.
 */
export class StopWatch {
  /** References of the bulks that stop at their first failure, and of those that had one. */
  readonly #stopping = new Map<bigint, string>()
  readonly #failed = new Set<string>()
  readonly #cancelled = new Set<bigint>()
  /** Claimed, and as far as anybody can know not sent before. */
  readonly #fresh = new Set<string>()
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
    if (this.#failed.has(bulk_reference) && this.#fresh.has(reference)) return false
    return !this.#notToBeSent.has(reference)
  }

  #claim({ bulk_no, bulk_reference, epoch, status, on_failure, transfers }: ClaimedChunk): void {
    if (on_failure === 'stop') this.#stopping.set(bulk_no, bulk_reference)
    const isFresh = status === 'PROCESSING' && epoch === 1
    for (const [seq] of transfers) {
      const reference = transferId(bulk_reference, seq)
      // What is claimed a second time may have been sent before; it is asked about, and may be sent again.
      if (isFresh) this.#fresh.add(reference)
      else this.#fresh.delete(reference)
      if (isFresh && this.#cancelled.has(bulk_no)) this.#notToBeSent.add(reference)
      else this.#notToBeSent.delete(reference)
    }
  }
}
