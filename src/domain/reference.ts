/**
 * A transfer's id, which is also its reference at the bank: fixed at acceptance, never changed, at most 30 characters
 * (ISO 20022 allows 35 to an end-to-end reference).
 */
export function transferId(bulkReference: string, seq: number): string {
  return `${bulkReference}-${seq}`
}

/** The bulk reference and place that a transfer's id is made of, or null if the text is no such id. */
export function parseTransferId(text: string): { bulk_reference: string; seq: number } | null {
  const match = /^([0-9A-HJKMNP-TV-Z]{26})-(0|[1-9]\d{0,2})$/.exec(text)
  if (match?.[1] === undefined || match[2] === undefined) return null
  return { bulk_reference: match[1], seq: Number(match[2]) }
}
