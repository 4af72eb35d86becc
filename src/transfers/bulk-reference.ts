import { createHash } from 'node:crypto'

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/**
 * A bulk's reference: 26 characters that follow from who asked for it, from which account and under which request_id
 * (130 bits of a SHA-256). So a bulk that a restored database has forgotten has the same reference when it is submitted
 * again, and a bank that is idempotent does not pay it a second time.
 */
export function makeBulkReference(bulk: {
  organization_id: number
  organization_iban: string
  request_id: string
}): string {
  const { organization_id, organization_iban, request_id } = bulk
  const hash = createHash('sha256').update(`${organization_id} ${organization_iban} ${request_id}`).digest()
  let text = ''
  for (let place = 0; place < 26; place++) text += alphabet.charAt(hash.readUInt8(place) & 31)
  return text
}
