import { Pool } from 'undici'
import { z } from 'zod'
import { parseJson, storableText } from './bank-text.ts'
import {
  notPossible,
  type Payee,
  type PayeeAnswer,
  type PayeeCheck,
  type PayeeResult
} from './payee-check.ts'

export interface HttpPayeeCheckOptions {
  url: string
  /** Most calls at one time; further ones wait for a free connection, within the same deadline. */
  connections: number
}

/** Payees in one call: their longest names and IBANs stay within the 64 KiB that the service takes. */
const batchSize = 100
/** More than a hundred answers with names of 140 characters can be. */
const maxAnswerBytes = 256 * 1024

/** The sandbox bank's protocol: POST /payee-verifications, up to 100 payees a call, one result each in their order. */
export function createHttpPayeeCheck(options: HttpPayeeCheckOptions): PayeeCheck {
  const pool = new Pool(options.url, { connections: options.connections, pipelining: 1 })
  return {
    async verify(payees, timeoutMs) {
      const signal = AbortSignal.timeout(timeoutMs)
      const batches = Array.from({ length: Math.ceil(payees.length / batchSize) }, (_, nr) =>
        payees.slice(nr * batchSize, (nr + 1) * batchSize)
      )
      return (await Promise.all(batches.map((batch) => verifyBatch(pool, batch, signal)))).flat()
    },
    // What is under way is given up: it changes nothing.
    close: () => pool.destroy()
  }
}

/** A batch fails as a whole: a service that does not answer, or not what it was asked, has told nothing. */
async function verifyBatch(pool: Pool, payees: Payee[], signal: AbortSignal): Promise<PayeeAnswer[]> {
  const told = await ask(pool, payees, signal).catch(() => null)
  return payees.map((payee, index) => interpret(payee, told?.[index]))
}

async function ask(pool: Pool, payees: Payee[], signal: AbortSignal): Promise<unknown[] | null> {
  const answer = await pool.request({
    method: 'POST',
    path: '/payee-verifications',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ payees }),
    signal
  })
  if (answer.statusCode !== 200) {
    await answer.body.dump()
    return null
  }
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    size += chunk.length
    // Leaving the loop closes the connection, and with it whatever was still to come.
    if (size > maxAnswerBytes) return null
    chunks.push(chunk)
  }
  const parsed = answers.safeParse(parseJson(Buffer.concat(chunks).toString('utf8')))
  return parsed.success && parsed.data.results.length === payees.length ? parsed.data.results : null
}

const answers = z.object({ results: z.array(z.unknown()) })

const words = {
  MATCH: 'match',
  CLOSE_MATCH: 'close-match',
  NO_MATCH: 'no-match',
  NOT_POSSIBLE: 'not-possible'
} as const satisfies Record<string, PayeeResult>

const verification = z.object({
  iban: z.string(),
  result: z.enum(Object.keys(words) as (keyof typeof words)[]),
  matched_name: z.string().optional()
})

/** The longest name that ISO 20022 knows. */
const longestName = 140

/** An answer counts only if it is about this payee. */
function interpret(payee: Payee, told: unknown): PayeeAnswer {
  const parsed = verification.safeParse(told)
  if (!parsed.success || parsed.data.iban !== payee.iban) return notPossible
  const { matched_name: name } = parsed.data
  const result = words[parsed.data.result]
  const tellsName = result === 'close-match' && name !== undefined && name.trim() !== ''
  return {
    result,
    suggested_name: tellsName ? storableText(name).slice(0, longestName).toWellFormed() : null
  }
}
