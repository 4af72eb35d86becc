import { createHmac } from 'node:crypto'

/** A signing secret as its owner writes it down: `whsec_` and base64, as the Standard Webhooks specification has it. */
export function showSecret(secret: Uint8Array): string {
  return `whsec_${Buffer.from(secret).toString('base64')}`
}

/** What is signed: the message's id, when it is sent, and the very bytes of its body. */
export interface Message {
  webhook_id: string
  timestamp_s: number
  body: string
}

/** The headers that prove to a receiver who sent a message and when: a signature for each secret that counts. */
export function signedHeaders(
  { webhook_id, timestamp_s, body }: Message,
  secrets: Uint8Array[]
): Record<string, string> {
  const content = `${webhook_id}.${timestamp_s}.${body}`
  const signatures = secrets.map(
    (secret) => `v1,${createHmac('sha256', secret).update(content).digest('base64')}`
  )
  return {
    'webhook-id': webhook_id,
    'webhook-timestamp': String(timestamp_s),
    'webhook-signature': signatures.join(' ')
  }
}
