import type { Tx } from '../database/statement.ts'
import { selectBulkPage } from './queries.ts'

/** A bulk in the snapshot: what each transfer asks of the bank, how it ended, and what the bank's log had of it. */
export interface ExpectedBulk {
  bulk_reference: string
  currency: string
  /** "amount_minor iban" by seq. */
  orders: string[]
  /** A place in `ends` by seq. */
  ends: Uint8Array
  /** Payments found in the bank's log by seq. */
  payments: Uint8Array
}

/** What a transfer may be in the snapshot; the first stands for every open state. */
export const ends = ['OPEN', 'EXECUTED', 'FAILED', 'CANCELLED'] as const

const pageSize = 50
const maxTransfers = 1000

/**
 * Every bulk of the snapshot by its reference. The whole of it is held in memory, some 80 bytes a transfer: the bank
 * lists payments in the order in which they were executed, and that is no order of ours.
 */
export async function loadExpectedBulks(
  tx: Tx,
  tell: (bulks: number) => void
): Promise<Map<string, ExpectedBulk>> {
  const bulks = new Map<string, ExpectedBulk>()
  let last = { organization_id: 0, bulk_no: 0n }
  for (;;) {
    const rows = await selectBulkPage(tx, { ...last, page_size: pageSize })
    for (const row of rows) bulks.set(row.bulk_reference, readBulk(row))
    tell(bulks.size)
    const end = rows.at(-1)
    if (end === undefined || rows.length < pageSize) return bulks
    last = { organization_id: end.organization_id, bulk_no: end.bulk_no }
  }
}

function readBulk(row: Awaited<ReturnType<typeof selectBulkPage>>[number]): ExpectedBulk {
  const bulk = {
    bulk_reference: row.bulk_reference,
    currency: row.currency,
    orders: [] as string[],
    ends: new Uint8Array(maxTransfers),
    payments: new Uint8Array(maxTransfers)
  }
  for (const [seq, order] of readLines(row.transfers)) bulk.orders[seq] = order
  for (const [seq, status] of readLines(row.outcomes))
    bulk.ends[seq] = (ends as readonly string[]).indexOf(status)
  return bulk
}

function* readLines(text: string | null): Generator<[number, string]> {
  if (text === null) return
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ')
    yield [Number(line.slice(0, space)), line.slice(space + 1)]
  }
}
