import { createCipheriv, createDecipheriv } from 'node:crypto'

/**
 * A signing secret has to be read again to sign, so it is encrypted (AES-256-GCM) under a key that is not in the
 * database: whoever has a copy of the database can forge no webhook. It opens only for the organization that it was
 * sealed for. Without a key, outside of live mode, it is kept as it is.
 */
export interface SecretKeeper {
  /** WEBHOOK_SECRET_KEY: the first key is for new secrets, the others open what was sealed under them. */
  keys: string | undefined
  organization_id: number
}

const algorithm = 'aes-256-gcm'
const plain = 0
const sealed = 1

/** What is stored of a secret. `nonce` is 12 bytes of chance. */
export function sealSecret(secret: Uint8Array, nonce: Uint8Array, keeper: SecretKeeper): Buffer {
  const [key] = readKeys(keeper)
  if (key === undefined) return Buffer.from([plain, ...secret])
  const cipher = createCipheriv(algorithm, key, nonce).setAAD(aboutWhom(keeper))
  const text = Buffer.concat([cipher.update(secret), cipher.final()])
  return Buffer.from([sealed, ...nonce, ...cipher.getAuthTag(), ...text])
}

/** The secret that was sealed, or null if none of the keys opens it: then it was moved, or its key is not set any more. */
export function openSecret(stored: Buffer, keeper: SecretKeeper): Buffer | null {
  if (stored[0] === plain) return stored.subarray(1)
  for (const key of readKeys(keeper))
    try {
      const decipher = createDecipheriv(algorithm, key, stored.subarray(1, 13))
      decipher.setAAD(aboutWhom(keeper)).setAuthTag(stored.subarray(13, 29))
      return Buffer.concat([decipher.update(stored.subarray(29)), decipher.final()])
    } catch {
      // Another key may be the one.
    }
  return null
}

function readKeys({ keys }: SecretKeeper): Buffer[] {
  return (keys ?? '')
    .split(',')
    .filter((key) => key !== '')
    .map((key) => Buffer.from(key, 'base64'))
}

function aboutWhom({ organization_id }: SecretKeeper): Buffer {
  return Buffer.from(`webhook secret of organization ${organization_id}`)
}
