import { createHmac, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { parseJson, storableText } from './bank-text.ts'

/** What a bank tells by itself: a result that was to come, or money that came back. */
export interface BankNotice {
  notice_id: string
  reference: string
  status: 'EXECUTED' | 'REJECTED' | 'RETURNED'
  /** Of a return: what came back. */
  amount: string
  currency: string
  counterparty_iban: string
  reason_code: string | null
  reason: string | null
}

/** A clock may be wrong by this much; an older call may be one that somebody recorded. */
const toleranceMs = 5 * 60_000

/**
 * Whether a callback comes from the bank: `bank-signature: t=<unix seconds>,v1=<hex>` with the HMAC-SHA256 of
 * `<t>.<body>` under the secret that both know.
 */
export function isFromBank(
  call: { signature: string | undefined; body: Buffer },
  secret: string,
  nowMs: number
): boolean {
  const match = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(call.signature ?? '')
  if (match?.[1] === undefined || match[2] === undefined) return false
  if (Math.abs(nowMs - Number(match[1]) * 1000) > toleranceMs) return false
  const right = createHmac('sha256', secret).update(`${match[1]}.`).update(call.body).digest()
  return timingSafeEqual(right, Buffer.from(match[2], 'hex'))
}

/** The shape of the callback's body. */
export const callback = z
  .object({
    notices: z
      .array(
        z.object({
          notice_id: z.string().regex(/^[\x21-\x7e]{1,64}$/),
          reference: z.string().max(64),
          status: z.enum(['EXECUTED', 'REJECTED', 'RETURNED']),
          amount: z.string().max(40),
          currency: z.string().max(10),
          counterparty_iban: z.string().max(40),
          reason: z.object({ code: z.string().regex(/^[A-Z0-9]{1,10}$/), message: z.string() }).optional()
        })
      )
      .min(1)
      .max(1000)
  })
  .meta({
    examples: [
      {
        notices: [
          {
            notice_id: 'n-1',
            reference: '01JDB8Q5ZK3M2N4P6R7S8T9VWX-0',
            status: 'RETURNED',
            amount: '100.00',
            currency: 'EUR',
            counterparty_iban: 'DE89370400440532013000',
            reason: { code: 'AC04', message: 'Closed account' }
          }
        ]
      }
    ]
  })

/** The notices of a callback, in texts that can be stored and shown, or null if the body is not one. */
export function readCallback(body: Buffer): BankNotice[] | null {
  const parsed = callback.safeParse(parseJson(body.toString('utf8')))
  if (!parsed.success) return null
  return parsed.data.notices.map(({ reason, ...notice }) => ({
    ...notice,
    reference: storableText(notice.reference),
    amount: storableText(notice.amount),
    currency: storableText(notice.currency),
    counterparty_iban: storableText(notice.counterparty_iban),
    reason_code: reason?.code ?? null,
    reason: reason === undefined ? null : storableText(reason.message)
  }))
}
