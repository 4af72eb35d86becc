import type { StoredTransfer } from './normalise-bulk.ts'

const betweenValues = '\u001f'
const noValue = '\u001e'

/**
 * Transfers as accept-bulk takes them: one text for each column, since the database cuts a text into values in half
 * the time that it reads JSON in, and null for a column of which no transfer has a value. No value contains what stands
 * between them: control characters are refused.
 */
export function toColumns(transfers: StoredTransfer[]) {
  const column = (read: (transfer: StoredTransfer) => string): string =>
    transfers.map(read).join(betweenValues)
  const optionalColumn = (read: (transfer: StoredTransfer) => string | undefined | null): string | null => {
    const values = transfers.map((transfer) => read(transfer) ?? noValue)
    return values.every((value) => value === noValue) ? null : values.join(betweenValues)
  }
  return {
    amounts_minor: column((transfer) => transfer.amount_minor),
    counterparty_names: column((transfer) => transfer.counterparty_name),
    counterparty_bics: column((transfer) => transfer.counterparty_bic),
    counterparty_ibans: column((transfer) => transfer.counterparty_iban),
    descriptions: column((transfer) => transfer.description),
    client_transfer_ids: optionalColumn((transfer) => transfer.client_transfer_id),
    end_to_end_ids: optionalColumn((transfer) => transfer.end_to_end_id),
    metadata_texts: optionalColumn(({ metadata }) => metadata && JSON.stringify(metadata))
  }
}

/** What the chunks of so many transfers each hold, and the largest amount of all, in minor units. */
export function sumChunks(transfers: StoredTransfer[], chunk_size: number) {
  const chunk_totals_minor: bigint[] = []
  let most_minor = 0n
  transfers.forEach(({ amount_minor }, seq) => {
    const amount = BigInt(amount_minor)
    const chunk_no = Math.floor(seq / chunk_size)
    chunk_totals_minor[chunk_no] = (chunk_totals_minor[chunk_no] ?? 0n) + amount
    if (amount > most_minor) most_minor = amount
  })
  return { chunk_size, chunk_totals_minor, most_minor }
}
