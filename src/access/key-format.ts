import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** Whether a key may be used with a sandbox bank or with a real one. */
export type Environment = 'test' | 'live'

/** A key as it is used: `bh_test_`, its id (12), its secret (32) and its checksum (6), all of letters and digits. */
export interface ApiKey {
  key_id: string
  environment: Environment
  secret_hash: Buffer
}

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const form = /^bh_(test|live)_([0-9A-Za-z]{12})([0-9A-Za-z]{32})([0-9A-Za-z]{6})$/

/**
 * Makes a key from a source of random bytes. The text is to be shown once: only the hash is kept. The checksum lets a
 * mistyped key be told from a wrong one without a look-up, and lets scanners of leaked keys find real ones.
 */
export function makeKey(
  environment: Environment,
  randomBytes: (count: number) => Uint8Array
): ApiKey & { text: string } {
  const body = `bh_${environment}_${randomText(44, randomBytes)}`
  const key = readKey(body + checksum(body))
  if (key === null) throw new Error('a key that was just made cannot be read')
  return { ...key, text: body + checksum(body) }
}

/** Reads a key, or null for whatever is none: of another form or with a wrong checksum. */
export function readKey(text: string): ApiKey | null {
  const [, environment, key_id, secret, sum] = form.exec(text) ?? []
  if (environment === undefined || key_id === undefined || secret === undefined) return null
  if (checksum(text.slice(0, -6)) !== sum) return null
  const secret_hash = createHash('sha256').update(secret).digest()
  return { key_id, environment: environment as Environment, secret_hash }
}

/** CRC-32 in base 62, six digits. */
function checksum(text: string): string {
  let rest = crc32(text)
  let digits = ''
  for (let place = 0; place < 6; place++) {
    digits = (alphabet[rest % 62] ?? '') + digits
    rest = Math.floor(rest / 62)
  }
  return digits
}

/** Letters and digits, each as likely as any other: bytes from 248 on are passed over. */
function randomText(length: number, randomBytes: (count: number) => Uint8Array): string {
  let text = ''
  while (text.length < length)
    for (const byte of randomBytes(length))
      if (byte < 248 && text.length < length) text += alphabet[byte % 62] ?? ''
  return text
}
