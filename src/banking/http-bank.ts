import { Pool, type Dispatcher } from 'undici'
import { z } from 'zod'
import { formatAmount } from '../domain/money.ts'
import { toSepaText } from '../domain/sepa-text.ts'
import { failSpan, traceparentOf, withSpan } from '../telemetry/tracing.ts'
import { parseJson, storableText } from './bank-text.ts'
import type { BankAnswer, BankConnector, CallOptions, PaymentOrder, StatementPage } from './connector.ts'

export interface HttpBankOptions {
  url: string
  /** Most calls at one time; further ones wait for a free connection. */
  connections: number
  timeout_ms: number
  /** What the bank does not know this long after it may have been sent, it will never execute. */
  settlement_window_ms?: number
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
  const { hostname, port } = new URL(options.url)
  const server = { 'server.address': hostname, ...(port === '' ? {} : { 'server.port': Number(port) }) }
  const ask = (order: PaymentOrder, request: Request, call: CallOptions | undefined): Promise<BankAnswer> => {
    const trace_id = call?.trace_id
    const template = request.method === 'POST' ? '/payments' : '/payments/{reference}'
    const attributes = {
      ...server,
      'http.request.method': request.method,
      'url.template': template,
      'bulkhead.transfer_id': order.reference
    }
    return withSpan(
      `${request.method} ${template}`,
      { trace_id, kind: 'CLIENT', attributes },
      async (span) => {
        const traced = trace_id ? { traceparent: traceparentOf(span, trace_id) } : {}
        const headers = { ...request.headers, ...traced }
        const answer = await fetchAnswer(pool, { ...request, headers }, options.timeout_ms)
        if ('outcome' in answer) failSpan(span, 'cause' in answer ? answer.cause : answer.outcome)
        else span.setAttribute('http.response.status_code', answer.status)
        return 'outcome' in answer ? answer : interpret(order, request, answer)
      }
    )
  }
  return {
    abilities: { idempotent_submit: true, settlement_window_ms: options.settlement_window_ms ?? 60_000 },
    submit: (order, call) =>
      ask(order, { method: 'POST', path: '/payments', body: paymentBody(order), headers: json }, call),
    inquire: (order, call) => ask(order, { method: 'GET', path: `/payments/${order.reference}` }, call),
    readStatement: (cursor) => readStatement(pool, cursor, options.timeout_ms),
    ping: () => ping(pool),
    close: () => pool.close()
  }
}

const json = { 'content-type': 'application/json' }

/** Texts go in the characters that every SEPA bank takes; whoever submitted them was told how they look then. */
function paymentBody(order: PaymentOrder): string {
  return JSON.stringify({
    ...order,
    counterparty_name: toSepaText(order.counterparty_name),
    description: toSepaText(order.description),
    amount_minor: undefined,
    amount: formatAmount(order.amount_minor, order.currency)
  })
}

interface Request extends Dispatcher.RequestOptions {
  method: 'POST' | 'GET'
  headers?: Record<string, string>
}

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

/** The bank's own refusals: any other body under the same status is a proxy's, which knows nothing of the payment. */
const refusal = z.object({ reason: z.string(), details: z.string().transform(storableText) })

function refusedFor(answer: Answer, ...reasons: string[]): { details: string } | null {
  const parsed = refusal.safeParse(parseJson(answer.text))
  return parsed.success && reasons.includes(parsed.data.reason) ? parsed.data : null
}

function interpret(order: PaymentOrder, request: Request, answer: Answer): BankAnswer {
  switch (answer.status) {
    case 200:
    case 201:
    case 202:
      return interpretPayment(order, answer.text)
    case 404:
      return request.method === 'GET' && refusedFor(answer, 'payment-not-found')
        ? { outcome: 'not-found' }
        : { outcome: 'unknown', cause: 'http-404' }
    case 422: {
      const refused = refusedFor(answer, 'invalid-payment', 'invalid-amount', 'currency-not-supported')
      return refused === null
        ? { outcome: 'unknown', cause: 'http-422' }
        : { outcome: 'refused', code: 'NARR', message: refused.details }
    }
    case 429:
      return notAccepted(answer)
    case 503:
      return refusedFor(answer, 'unavailable')
        ? notAccepted(answer)
        : { outcome: 'unknown', cause: 'http-503' }
    default:
      return { outcome: 'unknown', cause: `http-${answer.status}` }
  }
}

function notAccepted(answer: Answer): BankAnswer {
  const { 'retry-after': after } = answer.headers
  return { outcome: 'not-accepted', cause: `http-${answer.status}`, ...retryAfter(after) }
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

function retryAfter(header: unknown): { retry_after_ms?: number } {
  if (typeof header !== 'string') return {}
  // Seconds, or an HTTP date (RFC 9110, 10.2.3).
  const ms = /^\d{1,5}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isFinite(ms) ? { retry_after_ms: Math.max(0, ms) } : {}
}

const statementPage = z.compile(
  z.object({
    entries: z.array(
      z.object({
        entry_no: z.int().positive().transform(BigInt),
        kind: z.enum(['DEBIT', 'RETURN']),
        reference: z.string().max(100).transform(storableText),
        amount: z.string().max(40).transform(storableText),
        currency: z.string().max(10).transform(storableText),
        counterparty_iban: z.string().max(40).transform(storableText),
        booked_at: z.coerce.date(),
        reason: z
          .object({
            code: z.string().max(10).transform(storableText),
            message: z.string().transform(storableText)
          })
          .optional()
      })
    ),
    next_cursor: z.string(),
    has_more: z.boolean()
  })
)

/** Entries of a page: some 200 bytes each have to stay below the largest answer that is taken. */
const statementLimit = 200

async function readStatement(pool: Pool, cursor: string | null, timeoutMs: number): Promise<StatementPage> {
  const query = new URLSearchParams({ limit: `${statementLimit}`, ...(cursor === null ? {} : { cursor }) })
  const answer = await fetchAnswer(pool, { method: 'GET', path: `/statement?${query.toString()}` }, timeoutMs)
  if ('outcome' in answer) return { outcome: 'unavailable', cause: 'cause' in answer ? answer.cause : '' }
  if (answer.status !== 200) return { outcome: 'unavailable', cause: `http-${answer.status}` }
  const parsed = statementPage.safeParse(parseJson(answer.text))
  if (!parsed.success) return { outcome: 'unavailable', cause: 'answer-not-understood' }
  const entries = parsed.data.entries.map(({ reason, ...entry }) => ({
    ...entry,
    reason_code: reason?.code ?? null,
    reason: reason?.message ?? null
  }))
  return { ...parsed.data, outcome: 'page', entries }
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
