import type { Context } from '../context.ts'
import { reasonCodes } from '../domain/reason-code.ts'
import type { Result } from './interpret-answer.ts'

/** Counts what ended of a claim: the transfers of the chunks that were really recorded, and the bulk if it ended. */
export function measureResults(context: Context, { transfers, results, recorded }: Recording): void {
  const [bulk] = recorded
  if (bulk === undefined) return
  const { transfersEnded, transfersFailed } = context.measurements
  const chunkNos = new Set(recorded.map(({ chunk_no }) => chunk_no))
  const seqs = new Set(transfers.filter(({ chunk_no }) => chunkNos.has(chunk_no)).map(({ seq }) => seq))
  for (const { seq, status, reason_code } of results) {
    if (!seqs.has(seq)) continue
    if (status === 'EXECUTED' || status === 'FAILED' || status === 'CANCELLED') transfersEnded.inc({ status })
    if (status === 'FAILED') transfersFailed.inc({ reason_code: labelOf(reason_code) })
  }
  measureBulk(context, bulk)
}

interface Recording {
  transfers: { seq: number; chunk_no: number }[]
  results: Result[]
  recorded: (BulkAfter & { chunk_no: number })[]
}

/** Counts what a stop cancelled, and the bulk if it ended by that. */
export function measureStop(
  context: Context,
  stopped: { status: string; took_s: number | null; cancelled_count: bigint } | undefined
): void {
  if (stopped === undefined) return
  context.measurements.transfersEnded.inc({ status: 'CANCELLED' }, Number(stopped.cancelled_count))
  measureBulk(context, { bulk_status: stopped.status, took_s: stopped.took_s })
}

interface BulkAfter {
  bulk_status: string
  /** From its acceptance to its end; null while it goes on. */
  took_s: number | null
}

function measureBulk(context: Context, { bulk_status: status, took_s }: BulkAfter): void {
  if (took_s !== null) context.measurements.bulkDuration.observe({ status }, took_s)
}

/** Banks may have codes of their own, any number of them. */
function labelOf(reasonCode: string | null): string {
  return reasonCode !== null && Object.hasOwn(reasonCodes, reasonCode) ? reasonCode : 'other'
}
