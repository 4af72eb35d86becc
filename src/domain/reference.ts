const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/**
 * A bulk's reference: 26 characters that sort by time and repeat in no other installation (a ULID: 48 bits of
 * milliseconds, 80 random bits). `random` gives 10 random bytes.
 */
export function makeBulkReference(timeMs: number, random: Uint8Array): string {
  let bits = BigInt(timeMs)
  for (const byte of random) bits = (bits << 8n) | BigInt(byte)
  let text = ''
  for (let place = 0; place < 26; place++) {
    text = (alphabet[Number(bits & 31n)] ?? '') + text
    bits >>= 5n
  }
  return text
}

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
