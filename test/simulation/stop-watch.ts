import type { QueryResultRow } from 'pg'
import type { NamedQuery } from '../../src/database/statement.ts'
import { transferId } from '../../src/domain/reference.ts'
import { valuesOf } from './boundaries/describe-statement.ts'

interface ClaimedChunk {
  bulk_no: bigint
  bulk_reference: string
  epoch: number
  status: string
  on_failure: string
  transfers: [seq: number, ...rest: string[]][]
}

/** Watches what on_failure stop promises: what is first claimed after a failure was recorded never reaches the bank. */
export class StopWatch {
  readonly #failedBulks = new Set<bigint>()
  readonly #notToBeSent = new Set<string>()

  see(query: NamedQuery, rows: QueryResultRow[]): void {
    if (query.name === 'claim-chunks') for (const row of rows) this.#claim(row as ClaimedChunk)
    if (query.name !== 'record-results') return
    const { bulk_no, chunk_nos, statuses } = valuesOf(query)
    const isWhole = rows.length === (chunk_nos as number[]).length
    if (isWhole && (statuses as string[]).includes('FAILED')) this.#failedBulks.add(bulk_no as bigint)
  }

  mayBeSent(reference: string): boolean {
    return !this.#notToBeSent.has(reference)
  }

  #claim({ bulk_no, bulk_reference, epoch, status, on_failure, transfers }: ClaimedChunk): void {
    const isStopped = on_failure === 'stop' && this.#failedBulks.has(bulk_no)
    for (const [seq] of transfers) {
      const reference = transferId(bulk_reference, seq)
      // What is claimed a second time may have been sent before; it is asked about, and may be sent again.
      if (isStopped && status === 'PROCESSING' && epoch === 1) this.#notToBeSent.add(reference)
      else this.#notToBeSent.delete(reference)
    }
  }
}
