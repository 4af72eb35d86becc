import type { Transfer } from './read-transfers.ts'

/** The columns of a report, in order. */
const columns: Record<string, (transfer: Transfer) => string | number | null> = {
  index: ({ index }) => index,
  transfer_id: ({ transfer_id }) => transfer_id,
  client_transfer_id: ({ client_transfer_id }) => client_transfer_id,
  end_to_end_id: ({ end_to_end_id }) => end_to_end_id,
  amount: ({ amount }) => amount,
  currency: ({ currency }) => currency,
  counterparty_name: ({ counterparty_name }) => counterparty_name,
  counterparty_iban: ({ counterparty_iban }) => counterparty_iban,
  counterparty_bic: ({ counterparty_bic }) => counterparty_bic,
  description: ({ description }) => description,
  status: ({ status }) => status,
  failure_code: ({ failure }) => failure?.code ?? null,
  failure_reason: ({ failure }) => failure?.reason ?? null,
  failure_message: ({ failure }) => failure?.message ?? null,
  returned_amount: ({ returned }) => returned?.amount ?? null,
  returned_code: ({ returned }) => returned?.code ?? null,
  updated_at: ({ updated_at }) => updated_at
}

/** The first line of a report in CSV. */
export const csvHeader = `${Object.keys(columns).join(',')}\r\n`

/** A transfer as a line of CSV (RFC 4180), in which no spreadsheet finds a formula. */
export function csvLine(transfer: Transfer): string {
  return `${Object.values(columns)
    .map((read) => csvField(read(transfer)))
    .join(',')}\r\n`
}

/**
 * A field of CSV. Text that a spreadsheet could take for a formula gets an apostrophe before it: a payee's name is
 * chosen by strangers, and a formula can send away what else is on the sheet. Full-width signs are taken for the
 * others in some countries, and space before them is passed over.
 */
export function csvField(value: string | number | null): string {
  const text = value === null ? '' : String(value)
  const harmless = /^\s*[=+\-@|%＝＋－＠]/u.test(text) || /^[\t\r\n]/.test(text) ? `'${text}` : text
  return /[",\r\n';]|^\s|\s$/u.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}
