import { Pool } from 'undici'
import { z } from 'zod'
import { storableText } from '../banking/bank-text.ts'
import { formatAmount, isCurrency, parseAmount } from '../domain/money.ts'
import { BankLogContradiction, BankLogUnavailable, type BankLog, type BankPayment } from './bank-log.ts'

const page = z.object({
  count: z.int().nonnegative(),
  total_amount: z.string(),
  payments: z.array(
    z.object({
      reference: z.string().transform(storableText),
      amount: z.string().transform(storableText),
      currency: z.string().transform(storableText),
      counterparty_iban: z.string().transform(storableText)
    })
  ),
  next_cursor: z.string().nullable()
})
type Page = z.infer<typeof page>

const timeoutMs = 30_000

/**
 * The log of a sandbox bank over HTTP, page by page. The last page's count and total are of the same instant as its
 * end, so they must be those of all that was listed.
 */
export function createHttpBankLog(url: string): BankLog {
  return { payments: () => listPayments(url) }
}

async function* listPayments(url: string): AsyncGenerator<BankPayment> {
  const pool = new Pool(new URL(url).origin, {
    connections: 1,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs
  })
  const listed = { count: 0, totals: new Map<string, bigint>() }
  try {
    let cursor: string | null = null
    do {
      const current: Page = await readPage(pool, cursor)
      for (const payment of current.payments) addUp(listed, payment)
      yield* current.payments
      cursor = current.next_cursor
      if (cursor === null) compareTotals(listed, current)
    } while (cursor !== null)
  } finally {
    await pool.destroy()
  }
}

async function readPage(pool: Pool, cursor: string | null): Promise<Page> {
  const path = `/payments?limit=1000${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`
  try {
    const { statusCode, body } = await pool.request({ method: 'GET', path })
    const text = await body.text()
    if (statusCode !== 200) throw new Error(`it answered ${statusCode}: ${text.slice(0, 200)}`)
    return page.parse(JSON.parse(text))
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new BankLogUnavailable(`GET ${path}: ${why}`, { cause })
  }
}

interface Listed {
  count: number
  totals: Map<string, bigint>
}

function addUp(listed: Listed, { amount, currency }: BankPayment): void {
  const parsed = isCurrency(currency) ? parseAmount(amount, currency) : null
  if (parsed?.outcome !== 'ok')
    throw new BankLogContradiction(`it lists a payment of "${amount} ${currency}"`)
  listed.count += 1
  listed.totals.set(currency, (listed.totals.get(currency) ?? 0n) + parsed.amount_minor)
}

function compareTotals({ count, totals }: Listed, { count: ownCount, total_amount }: Page): void {
  if (count !== ownCount) throw new BankLogContradiction(`it counts ${ownCount} payments and lists ${count}`)
  const sum = formatAmount(totals.get('EUR') ?? 0n, 'EUR')
  if (sum !== total_amount)
    throw new BankLogContradiction(`its total is ${total_amount}, the payments it lists add up to ${sum}`)
}
