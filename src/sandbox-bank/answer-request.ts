import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import type { PaymentBank, Submission, Unsettled } from './payment-bank.ts'
import { presentPayment, readOrder } from './payment-record.ts'

export interface Answer {
  readonly status: number
  readonly body: object
  readonly allow?: string
}

const LARGEST_BODY_BYTES = 64 * 1024
const LARGEST_LIMIT = 1000
const DEFAULT_LIMIT = 100
const PAYMENTS = '/payments'

/** Answers every route but health; whatever a client sends, its fault is a 4xx with a reason. */
export async function answerRequest(bank: PaymentBank, request: IncomingMessage): Promise<Answer> {
  const { method = '', url = '' } = request
  const [path = '', query = ''] = url.split('?', 2)
  if (path === PAYMENTS) {
    if (method === 'POST') return submitPayment(bank, request)
    return method === 'GET' ? listPayments(bank, new URLSearchParams(query)) : notAllowed('GET, POST')
  }
  if (path.startsWith(`${PAYMENTS}/`)) {
    return method === 'GET' ? findPayment(bank, path.slice(PAYMENTS.length + 1)) : notAllowed('GET')
  }
  return problem(404, 'not-found', `There is no route ${path}.`)
}

async function submitPayment(bank: PaymentBank, request: IncomingMessage): Promise<Answer> {
  const bytes = await readBody(request)
  if (bytes === undefined) {
    return problem(413, 'payload-too-large', `A body may have at most ${LARGEST_BODY_BYTES} bytes.`)
  }
  const json = isUtf8(bytes) ? parseJson(bytes.toString()) : undefined
  if (json === undefined) return problem(400, 'malformed-json', 'The body is not JSON in UTF-8.')
  const reading = readOrder(json)
  if (reading.outcome === 'refused') return { status: 422, body: reading.problem }
  return answerSubmission(await bank.submit(reading.order))
}

// An oversized body is read to its end and thrown away: closing early would reset the answer away with it.
function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= LARGEST_BODY_BYTES) chunks.push(chunk)
      else chunks.length = 0
    })
    request.on('end', () => resolve(size <= LARGEST_BODY_BYTES ? Buffer.concat(chunks) : undefined))
    request.on('error', reject)
  })
}

// JSON has no undefined, so undefined can stand for "not JSON".
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function answerSubmission(submission: Submission): Answer {
  switch (submission.outcome) {
    case 'recorded': {
      const { record } = submission
      return { status: record.result.status === 'EXECUTED' ? 201 : 200, body: presentPayment(record) }
    }
    case 'already-recorded':
      return { status: 200, body: presentPayment(submission.record) }
    case 'reference-reused':
      return problem(409, 'reference-reused', 'This reference belongs to a payment with other content.')
    case 'unknown':
    case 'unavailable':
      return answerUnsettled(submission)
  }
}

async function findPayment(bank: PaymentBank, encodedReference: string): Promise<Answer> {
  const reference = decode(encodedReference)
  if (reference === undefined) return problem(400, 'invalid-reference', 'The reference is not URL-encoded.')
  const inquiry = await bank.find(reference)
  switch (inquiry.outcome) {
    case 'found':
      return { status: 200, body: presentPayment(inquiry.record) }
    case 'not-found':
      return problem(404, 'payment-not-found', 'This bank never received a payment with this reference.')
    case 'unknown':
    case 'unavailable':
      return answerUnsettled(inquiry)
  }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

async function listPayments(bank: PaymentBank, query: URLSearchParams): Promise<Answer> {
  const limit = readWhole(query.get('limit') ?? String(DEFAULT_LIMIT))
  if (limit === undefined || limit < 1 || limit > LARGEST_LIMIT) {
    return problem(400, 'invalid-limit', `limit must be a whole number from 1 to ${LARGEST_LIMIT}.`)
  }
  const cursor = query.get('cursor')
  const from = cursor === null ? 0 : readCursor(cursor)
  const listing = from === undefined ? undefined : await bank.list(from, limit)
  if (listing === undefined || listing.outcome === 'beyond-the-end') {
    return problem(400, 'invalid-cursor', 'cursor must be a next_cursor of this bank.')
  }
  if (listing.outcome !== 'listed') return answerUnsettled(listing)
  const body = {
    count: listing.count,
    total_amount: listing.totalAmount,
    payments: listing.records.map(presentPayment),
    has_more: listing.next !== undefined,
    next_cursor: listing.next === undefined ? null : writeCursor(listing.next)
  }
  return { status: 200, body }
}

// The place in the log, which never changes: nothing is inserted before it, nothing ahead of it goes away.
function writeCursor(place: number): string {
  return Buffer.from(`place:${place}`).toString('base64url')
}

function readCursor(cursor: string): number | undefined {
  const text = Buffer.from(cursor, 'base64url').toString()
  return text.startsWith('place:') ? readWhole(text.slice('place:'.length)) : undefined
}

function readWhole(text: string): number | undefined {
  return /^[0-9]{1,12}$/.test(text) ? Number(text) : undefined
}

function answerUnsettled({ outcome, why }: Unsettled): Answer {
  return outcome === 'unknown'
    ? problem(500, 'outcome-unknown', `Only a restart of the bank can tell: ${why}.`)
    : problem(503, 'unavailable', `Nothing was executed: ${why}.`)
}

/** A refusal of a method, naming those that the route takes. */
export function notAllowed(allow: string): Answer {
  return { ...problem(405, 'method-not-allowed', `This route allows ${allow}.`), allow }
}

/** A refusal: what is wrong as a code, and in words. */
export function problem(status: number, reason: string, details: string): Answer {
  return { status, body: { reason, details } }
}
