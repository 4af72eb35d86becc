import { createHmac, randomUUID } from 'node:crypto'
import type { Pool } from 'undici'
import type { PaymentOrder } from '../../src/banking/connector.ts'
import { formatAmount } from '../../src/domain/money.ts'
import { aBulk, aTransfer } from '../support/builders.ts'
import type { TestDatabase } from '../support/database.ts'
import { makeRandom, type Random } from '../support/random.ts'
import { judgeBy, operationsOf, type Call } from './document.ts'
import { generate, hostileTexts } from './generate.ts'
import { preparePlace, type Place } from './place.ts'

/** `<operationId> served`, or with the reason of its refusal. */
type Outcome = `${string} ${string}`

/** What stands behind the door and says no: an operation that only ever serves was asked too little. */
const refusals: Outcome[] = [
  'submit_bulk already-processed',
  'cancel_bulk not-cancellable',
  'release_bulk conflict',
  'retry_failed_transfers nothing-to-retry',
  'redeliver_webhook endpoint-disabled',
  'take_bank_notices invalid-request',
  'open_account conflict',
  'close_account conflict',
  'deposit conflict',
  'place_hold conflict',
  'release_hold conflict'
]

export interface Fuzzed {
  requests: number
  /** How many answers had each status. */
  statuses: Record<number, number>
  /** What no call came to: each operation has to serve, and some to refuse for a reason of their own. */
  missed: Outcome[]
  wrong: string[]
}

/**
 * Calls every operation of the API's own document with what is right, nearly right and hostile, and judges each answer
 * by the document: no status 5xx, none that is not declared, no body that does not match. The same seed makes the same
 * calls, but for ids.
 */
export async function fuzz(
  database: TestDatabase,
  options: { requests: number; seed: number; tell?: (text: string) => void }
): Promise<Fuzzed> {
  const random = makeRandom(options.seed)
  const place = await preparePlace(database)
  const calls = operationsOf(place.document)
  const missed = new Set([
    ...calls.map(({ operation }) => `${operation.operationId} served` as const),
    ...refusals
  ])
  const fuzzed: Fuzzed = { requests: 0, statuses: {}, missed: [], wrong: [] }
  const judge = judgeBy(place.document)
  const ask = async (): Promise<void> => {
    const call = pickCall(random, calls, missed)
    const request = makeRequest(call, random, place)
    const answer = await send(place.client, request)
    fuzzed.requests += 1
    if (fuzzed.requests % 10_000 === 0)
      options.tell?.(`${fuzzed.requests} requests, ${fuzzed.wrong.length} wrong`)
    fuzzed.statuses[answer.status] = (fuzzed.statuses[answer.status] ?? 0) + 1
    missed.delete(`${call.operation.operationId} ${answer.status < 400 ? 'served' : reasonOf(answer.text)}`)
    const wrong = judge(call.operation, answer)
    if (wrong !== null && fuzzed.wrong.length < 100)
      fuzzed.wrong.push(`${request.method} ${request.path} ${String(request.body).slice(0, 300)} -> ${wrong}`)
    if (answer.status < 400) place.learn(answer.text)
  }
  // What is rare has its time: a call that nothing lets through is missed after five times as many, too.
  const isBehind = () => missed.size > 0 && fuzzed.requests < 5 * options.requests
  const lane = async (): Promise<void> => {
    while (fuzzed.requests < options.requests || isBehind()) await ask()
  }
  try {
    await Promise.all(Array.from({ length: 8 }, lane))
  } finally {
    await place.close()
  }
  return { ...fuzzed, missed: [...missed] }
}

/** Any; often one that has not come to all that it should, or a submission, without which others find no bulk. */
function pickCall(random: Random, calls: Call[], missed: Set<Outcome>): Call {
  const kind = random.fraction()
  const behind = calls.filter(({ operation: { operationId } }) =>
    kind < 0.1
      ? operationId === 'submit_bulk'
      : kind < 0.4 && missed.values().some((outcome) => outcome.startsWith(`${operationId} `))
  )
  return random.pick(behind.length > 0 ? behind : calls)
}

function reasonOf(text: string): string {
  return /"error":\{"reason":"([a-z-]+)"/.exec(text)?.[1] ?? 'no reason'
}

function makeRequest({ path, method, operation }: Call, random: Random, place: Place) {
  // Most calls are nearly right; what is wrong everywhere is refused before anything is tried.
  const wrongness = random.pick([0, 0, 0.02, 0.02, 0.1, 0.5])
  const about = { schemas: place.document.components.schemas, known: place.known, wrongness }
  const value = (name: string, schema: Parameters<typeof generate>[0]): string => {
    if (random.fraction() < wrongness) return random.pick(hostileTexts)
    const made = generate(schema, random, about, name)
    return typeof made === 'string' ? made : JSON.stringify(made)
  }
  const parameters = operation.parameters ?? []
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(value(name, { type: 'string' }).replaceAll(/[\ud800-\udfff]/g, '?') || 'x')
  )
  const query = parameters
    .filter((parameter) => parameter.in === 'query' && random.fraction() < 0.4)
    .map(({ name, schema }) => [name, value(name, schema)])
  if (random.fraction() < wrongness / 4) query.push([random.pick(hostileTexts), 'x'])
  const search = new URLSearchParams(query).toString()
  const schema = operation.requestBody?.content['application/json']?.schema
  const body =
    schema === undefined
      ? undefined
      : makeBody(path, schema, random, { ...about, payments: place.payments() })
  return {
    method: method.toUpperCase() as 'GET',
    path: search === '' ? filled : `${filled}?${search}`,
    headers: {
      ...(path === '/bank/notices' ? signature(body ?? '', random, place) : credentials(path, random, place)),
      ...typeOf(body, random, wrongness)
    },
    body
  }
}

function makeBody(
  path: string,
  schema: Parameters<typeof generate>[0],
  random: Random,
  about: Parameters<typeof generate>[2] & { payments: PaymentOrder[] }
): string {
  if (random.fraction() < about.wrongness / 10)
    return random.pick([
      '',
      '{',
      'null',
      '[]',
      '"x"',
      '{"a":1,"a":2}',
      '['.repeat(5000),
      '\ufeff{}',
      '{"__proto__":{}}'
    ])
  if (path === '/bank/notices' && about.payments.length > 0 && random.fraction() < 0.5)
    return JSON.stringify({ notices: [aNotice(random, about.payments)] })
  const made = generate(schema, random, about)
  const isNew = typeof made === 'object' && made !== null && 'request_id' in made && random.fraction() < 0.9
  const body = isNew ? { ...made, request_id: randomUUID() } : made
  return JSON.stringify(
    path === '/transfers/bulk' && random.fraction() < 0.5 ? aRightBulk(random, about.known) : body
  )
}

function aRightBulk(random: Random, known: Record<string, string[]>) {
  const transfers = Array.from({ length: 1 + random.below(4) }, () =>
    aTransfer({
      amount: random.pick(known['amount'] ?? []),
      counterparty_name: random.pick(known['counterparty_name'] ?? [])
    })
  )
  return aBulk({ credit_transfers: transfers })
}

/** What the bank may tell of a payment that it was asked for, whatever has become of it. */
function aNotice(random: Random, payments: PaymentOrder[]) {
  const { reference, amount_minor, currency, counterparty_iban } = random.pick(payments)
  const amount = formatAmount(amount_minor, currency)
  const status = random.pick(['EXECUTED', 'REJECTED', 'RETURNED'])
  return { notice_id: randomUUID(), reference, status, amount, currency, counterparty_iban }
}

function signature(body: string, random: Random, { callbackSecret }: Place): Record<string, string> {
  if (random.fraction() < 0.05) return {}
  const at = Math.floor(Date.now() / 1000)
  const mac = createHmac('sha256', callbackSecret).update(`${at}.${body}`).digest('hex')
  return { 'bank-signature': `t=${at},v1=${mac}` }
}

function credentials(path: string, random: Random, { keys }: Place): Record<string, string> {
  if (random.fraction() < 0.02) return {}
  if (random.fraction() < 0.02) return { authorization: 'Bearer bh_test_nonsense' }
  const operator = path.startsWith('/admin') ? random.fraction() < 0.95 : random.fraction() < 0.02
  return { authorization: `Bearer ${operator ? keys.operator : random.pick(keys.organizations)}` }
}

function typeOf(body: string | undefined, random: Random, wrongness: number): Record<string, string> {
  if (body === undefined) return {}
  if (random.fraction() < wrongness / 10)
    return { 'content-type': random.pick(['text/plain', 'application/xml', 'x']) }
  return { 'content-type': 'application/json' }
}

async function send(client: Pool, request: ReturnType<typeof makeRequest>) {
  const {
    statusCode: status,
    headers,
    body
  } = await client.request({ ...request, body: request.body ?? null })
  const [type = ''] = String(headers['content-type'] ?? '').split(';')
  // A stream of events ends when the client goes.
  const text = type === 'text/event-stream' ? await startOf(body) : await body.text()
  return { status, type, text }
}

async function startOf(body: AsyncIterable<unknown>): Promise<string> {
  for await (const chunk of body) return String(chunk)
  return ''
}
