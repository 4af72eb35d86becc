import type { QueryResultRow } from 'pg'
import { statements, type NamedQuery } from '../../../src/database/statement.ts'

export type Values = Record<string, unknown>
type Describe = (values: Values, rows: Values[]) => string

const described: Record<string, Describe> = {
  'claim-chunks': (_, rows) =>
    rows
      .map((row) => `${chunkOf(row, row['chunk_no'], row['epoch'])} ${row['status'] as string}`)
      .join(', ') || 'nothing due',
  'renew-leases': (values, rows) => `${chunksOf(values)} -> ${rows.length} held`,
  'record-results': (values, rows) =>
    `${chunksOf(values)} ${resultsOf(values)} -> ${(rows[0]?.['bulk_status'] as string | undefined) ?? 'changes nothing'}`,
  'stop-bulk': (values, rows) =>
    `${String(values['bulk_no'])} -> ${rows[0] ? `${String(rows[0]['cancelled_count'])} cancelled` : 'final'}`,
  'insert-notices': (values, rows) =>
    `${(values['notice_ids'] as string[]).map((id, nr) => `${id} ${shorten(String((values['bulk_references'] as string[])[nr]))}-${String((values['seqs'] as number[])[nr])} ${String((values['statuses'] as string[])[nr])}`).join(', ')} -> ${rows.map((row) => (row['fits'] ? 'fits' : 'does not fit')).join(', ')}`,
  'record-return': (values, rows) =>
    `${String(values['bulk_no'])}-${String(values['seq'])} ${String(values['amount_minor'])} -> ${rows.length ? 'booked' : 'no'}`,
  'open-incident': (values, rows) =>
    `${String(values['kind'])}: ${String(values['subject'])} -> ${rows.length ? 'opened' : 'is open'}`,
  'accept-bulk': (values, rows) =>
    `${idOf(values)} ${String(values['total_minor'])} -> ${rows[0] ? `bulk ${String(rows[0]['bulk_no'])}` : 'no'}`,
  'select-bulk': (values, rows) =>
    `${idOf(values)} -> ${String(rows[0]?.['status'])} v${String(rows[0]?.['version'])}`
}

/** A statement and what it did, in a line for people. */
export function describeStatement(query: NamedQuery, rows: QueryResultRow[]): string {
  const describe = described[query.name]
  return `${query.name}: ${describe?.(valuesOf(query), rows) ?? `${rows.length} rows`}`
}

/** The parameters of a statement by their names. */
export function valuesOf({ name, values }: NamedQuery): Values {
  const statement = statements.find(({ definition }) => definition.name === name)
  const names = Object.keys(statement?.definition.parameters ?? {})
  return Object.fromEntries(names.map((key, place) => [key, values[place]]))
}

/** As in 3/0@2: chunk 0 of bulk 3 under epoch 2. */
function chunkOf({ bulk_no }: Values, chunk_no: unknown, epoch: unknown): string {
  return `${String(bulk_no)}/${String(chunk_no)}@${String(epoch)}`
}

function chunksOf(values: Values): string {
  const epochs = values['epochs'] as number[]
  const chunks = values['chunk_nos'] as number[]
  return chunks.map((chunk_no, place) => chunkOf(values, chunk_no, epochs[place])).join(', ')
}

function resultsOf(values: Values): string {
  const statuses = values['statuses'] as string[]
  return (values['seqs'] as number[]).map((seq, place) => `${seq}:${statuses[place] ?? ''}`).join(' ')
}

const shorten = (reference: string) => reference.slice(20)
const idOf = ({ request_id }: Values) => String(request_id).slice(0, 8)
