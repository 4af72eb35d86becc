import type { IncomingMessage } from 'node:http'
import { answerUnsettled, notAllowed, problem, type Answer } from './answer.ts'
import type { Listing, PaymentBank } from './payment-bank.ts'
import { isObject } from './payment-order.ts'
import { presentEntry, presentPayment } from './present-payment.ts'
import { readBody } from './read-body.ts'
import { scenarios } from './scenarios.ts'
import { submitPayment } from './submit-payment.ts'
import { listPayeeScenarios, verifyPayees } from './verify-payees.ts'

const LARGEST_LIMIT = 1000
const DEFAULT_LIMIT = 100
const LONGEST_ADVANCE_S = 31 * 24 * 60 * 60
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
  switch (path) {
    case '/statement':
      return method === 'GET' ? listEntries(bank, new URLSearchParams(query)) : notAllowed('GET')
    case '/scenarios':
      return method === 'GET' ? listScenarios() : notAllowed('GET')
    case '/payee-verifications':
      return method === 'POST' ? verifyPayees(request) : notAllowed('POST')
    case '/payee-scenarios':
      return method === 'GET' ? listPayeeScenarios() : notAllowed('GET')
    case '/clock/advance':
      return method === 'POST' ? advanceClock(bank, request) : notAllowed('POST')
    default:
      return problem(404, 'not-found', `There is no route ${path}.`)
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
  const listing = await readPage(query, (from, limit) => bank.list(from, limit))
  if (listing.outcome === 'refused') return listing.answer
  const { count, totalAmount, records, next, hasMore } = listing
  const body = {
    count,
    total_amount: totalAmount,
    payments: records.map(presentPayment),
    has_more: hasMore,
    next_cursor: hasMore ? writeCursor(next) : null
  }
  return { status: 200, body }
}

async function listEntries(bank: PaymentBank, query: URLSearchParams): Promise<Answer> {
  const listing = await readPage(query, (from, limit) => bank.statement(from, limit))
  if (listing.outcome === 'refused') return listing.answer
  const { records, next, hasMore } = listing
  const firstEntryNo = next - records.length + 1
  const body = {
    entries: records.map((record, index) => presentEntry(record, firstEntryNo + index)),
    has_more: hasMore,
    next_cursor: writeCursor(next)
  }
  return { status: 200, body }
}

type Page = (Listing & { outcome: 'listed' }) | { outcome: 'refused'; answer: Answer }

async function readPage(
  query: URLSearchParams,
  list: (from: number, limit: number) => Promise<Listing>
): Promise<Page> {
  const limit = readWhole(query.get('limit') ?? String(DEFAULT_LIMIT))
  if (limit === undefined || limit < 1 || limit > LARGEST_LIMIT) {
    const details = `limit must be a whole number from 1 to ${LARGEST_LIMIT}.`
    return { outcome: 'refused', answer: problem(400, 'invalid-limit', details) }
  }
  const cursor = query.get('cursor')
  const from = cursor === null ? 0 : readCursor(cursor)
  const listing = from === undefined ? undefined : await list(from, limit)
  if (listing === undefined || listing.outcome === 'beyond-the-end') {
    const details = 'cursor must be a next_cursor of this bank.'
    return { outcome: 'refused', answer: problem(400, 'invalid-cursor', details) }
  }
  return listing.outcome === 'listed' ? listing : { outcome: 'refused', answer: answerUnsettled(listing) }
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

function listScenarios(): Answer {
  const body = scenarios.map(
    ({ scenario, counterparty_iban, expected_status, expected_reason, description }) => ({
      ...{ scenario, counterparty_iban, expected_status, expected_reason, description }
    })
  )
  return { status: 200, body }
}

async function advanceClock(bank: PaymentBank, request: IncomingMessage): Promise<Answer> {
  const body = await readBody(request)
  if (body.outcome === 'refused') return body.answer
  const seconds = isObject(body.json) ? body.json.seconds : undefined
  if (
    typeof seconds !== 'number' ||
    !(Number.isInteger(seconds) && seconds >= 1 && seconds <= LONGEST_ADVANCE_S)
  ) {
    return problem(422, 'invalid-seconds', `seconds must be a whole number from 1 to ${LONGEST_ADVANCE_S}.`)
  }
  await bank.clock.advance(seconds * 1000)
  return { status: 200, body: { now: bank.clock.now() } }
}
