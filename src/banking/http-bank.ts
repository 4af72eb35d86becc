import { Pool, type Dispatcher } from 'undici'
import { z } from 'zod'
import { formatAmount } from '../domain/money.ts'
import type { BankAnswer, BankConnector, PaymentOrder } from './connector.ts'

export interface HttpBankOptions {
  url: string
  /** Most calls at one time; further ones wait for a free connection. */
  connections: number
  timeout_ms: number
}

/** The sandbox bank's protocol: POST /payments (idempotent by reference), GET /payments/{reference}. */
export function createHttpBank(options: HttpBankOptions): BankConnector {
  const pool = new Pool(options.url, {
    connections: options.connections,
    pipelining: 1,
    connectTimeout: options.timeout_ms,
    headersTimeout: options.timeout_ms,
    bodyTimeout: options.timeout_ms
  })
  const ask = async (order: PaymentOrder, request: Request): Promise<BankAnswer> => {
    const answer = await fetchAnswer(pool, request, options.timeout_ms)
    return 'outcome' in answer ? answer : interpret(order, request, answer)
  }
  return {
    abilities: { idempotent_submit: true },
    submit: (order) =>
      ask(order, { method: 'POST', path: '/payments', body: paymentBody(order), headers: json }),
    inquire: (order) => ask(order, { method: 'GET', path: `/payments/${order.reference}` }),
    ping: () => ping(pool),
    close: () => pool.close()
  }
}

const json = { 'content-type': 'application/json' }

function paymentBody(order: PaymentOrder): string {
  return JSON.stringify({
    ...order,
    amount_minor: undefined,
    amount: formatAmount(order.amount_minor, order.currency)
  })
}

type Request = Dispatcher.RequestOptions & { method: 'POST' | 'GET' }

interface Answer {
  status: number
  headers: Record<string, unknown>
  text: string
}

async function fetchAnswer(pool: Pool, request: Request, timeoutMs: number): Promise<Answer | BankAnswer> {
  try {
    return await dispatch(pool, request, timeoutMs)
  } catch (error) {
    return neverConnected(error)
      ? { outcome: 'not-accepted', cause: describe(error) }
      : { outcome: 'unknown', cause: describe(error) }
  }
}

const maxAnswerBytes = 64 * 1024

/**
 * One call, its answer bounded in size and in time (the pool's own timeout begins anew with every byte). By dispatch,
 * which makes no stream for each small answer.
 */
function dispatch(pool: Pool, request: Request, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let [status, size, deadline] = [0, 0, Infinity]
    let headers: Answer['headers'] = {}
    pool.dispatch(request, {
      onRequestStart: () => undefined,
      onResponseStart(_, statusCode, received) {
        status = statusCode
        headers = received
        deadline = performance.now() + timeoutMs
      },
      onResponseData(controller, chunk) {
        size += chunk.length
        if (size > maxAnswerBytes) controller.abort(withCode('answer-too-large'))
        else if (performance.now() > deadline) controller.abort(withCode('answer-too-slow'))
        else chunks.push(chunk)
      },
      onResponseEnd() {
        resolve({ status, headers, text: Buffer.concat(chunks).toString('utf8') })
      },
      onResponseError(_, error) {
        reject(error)
      }
    })
  })
}

function withCode(code: string): Error {
  return Object.assign(new Error(code), { code })
}

/** Failures of connecting. A reset is not among them: it can follow a connection that was made. */
const connectErrors = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

/** Whether it is proven that no byte of the request has left: connecting failed, at every address that was tried. */
function neverConnected(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(neverConnected)
  if (!(error instanceof Error && 'code' in error)) return false
  if (error.code === 'UND_ERR_CONNECT_TIMEOUT') return true
  const connecting = 'syscall' in error && (error.syscall === 'connect' || error.syscall === 'getaddrinfo')
  return connecting && connectErrors.has(String(error.code))
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'error'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}

/** A bank's own words as they can be stored and shown, whatever it sends. */
function storableText(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/\p{Cc}/gu, ' ')
    .slice(0, 500)
    .toWellFormed()
}

const payment = z.compile(
  z.object({
    reference: z.string(),
    status: z.string(),
    amount: z.string(),
    currency: z.string(),
    counterparty_iban: z.string(),
    reason: z
      .object({ code: z.string().regex(/^[A-Z0-9]{1,10}$/), message: z.string().transform(storableText) })
      .optional()
  })
)

const notFound = z.object({ reason: z.literal('payment-not-found') })

function interpret(order: PaymentOrder, request: Request, answer: Answer): BankAnswer {
  switch (answer.status) {
    case 200:
    case 201:
    case 202:
      return interpretPayment(order, answer.text)
    case 404:
      // Only the bank itself says this, and only when it is asked; a 404 of a proxy or of a wrong address says nothing
      // about the payment.
      return request.method === 'GET' && notFound.safeParse(parseJson(answer.text)).success
        ? { outcome: 'not-found' }
        : { outcome: 'unknown', cause: 'http-404' }
    case 429:
    case 503:
      return {
        outcome: 'not-accepted',
        cause: `http-${answer.status}`,
        ...retryAfter(answer.headers['retry-after'])
      }
    default:
      return { outcome: 'unknown', cause: `http-${answer.status}` }
  }
}

/** An answer counts only if it is about this payment: same reference, amount, currency and payee. */
function interpretPayment(order: PaymentOrder, text: string): BankAnswer {
  const parsed = payment.safeParse(parseJson(text))
  if (!parsed.success) return { outcome: 'unknown', cause: 'answer-not-understood' }
  const { reference, status, amount, currency, counterparty_iban, reason } = parsed.data
  const matches =
    reference === order.reference &&
    amount === formatAmount(order.amount_minor, order.currency) &&
    currency === order.currency &&
    counterparty_iban === order.counterparty_iban
  if (!matches) return { outcome: 'unknown', cause: 'answer-about-another-payment' }
  if (status === 'EXECUTED') return { outcome: 'executed' }
  if (status === 'REJECTED' && reason) return { outcome: 'rejected', ...reason }
  if (status === 'PENDING') return { outcome: 'taken' }
  return { outcome: 'unknown', cause: 'answer-not-understood' }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function retryAfter(header: unknown): { retry_after_ms?: number } {
  return typeof header === 'string' && /^\d{1,5}$/.test(header)
    ? { retry_after_ms: Number(header) * 1000 }
    : {}
}

async function ping(pool: Pool): Promise<boolean> {
  try {
    const { statusCode, body } = await pool.request({
      method: 'GET',
      path: '/health',
      // Also while it waits behind payments that hang.
      signal: AbortSignal.timeout(2_000)
    })
    await body.dump()
    return statusCode === 200
  } catch {
    return false
  }
}
