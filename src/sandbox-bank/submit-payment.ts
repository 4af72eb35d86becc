import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { formatAmount, parseAmount } from '../domain/money.ts'
import { answerUnsettled, problem, type Answer } from './answer.ts'
import type { PaymentBank, Submission } from './payment-bank.ts'
import { BANK_CURRENCY, readOrder, type PaymentOrder } from './payment-order.ts'
import type { AcceptanceRecord, ResultRecord } from './payment-record.ts'
import { noticeOf, presentPayment, presentPending, type Notice } from './present-payment.ts'
import { readBody } from './read-body.ts'
import type { Claim, Replacement, Scenario, TransportFault } from './scenario.ts'

/** Answers POST /payments: with the truth, except where the payee's scenario says otherwise. */
export async function submitPayment(bank: PaymentBank, request: IncomingMessage): Promise<Answer> {
  const body = await readBody(request)
  if (body.outcome === 'refused') return body.answer
  const reading = readOrder(body.json)
  if (reading.outcome === 'refused') return { status: 422, body: reading.problem }
  return answerSubmission(bank, await bank.submit(reading.order))
}

function answerSubmission(bank: PaymentBank, submission: Submission): Answer | Promise<Answer> {
  switch (submission.outcome) {
    case 'recorded': {
      const { record, scenario } = submission
      const answer = {
        status: record.result.status === 'EXECUTED' ? 201 : 200,
        body: presentPayment(record)
      }
      return scenario === undefined ? answer : answerScripted(bank, record, answer, scenario)
    }
    case 'already-recorded':
      return { status: 200, body: presentPayment(submission.record) }
    case 'held':
      return answerHeld(submission.record)
    case 'dropped':
      return spoil(problem(503, 'unavailable', 'Nothing was executed.'), submission.fault)
    case 'refused':
      return problem(422, 'invalid-payment', 'This bank takes no payment to this payee.')
    case 'reference-reused':
      return problem(409, 'reference-reused', 'This reference belongs to a payment with other content.')
    case 'unknown':
    case 'unavailable':
      return answerUnsettled(submission)
  }
}

// Where an inquiry says that there is no such payment, or cannot tell, an answer here would give it away.
function answerHeld({ order, acceptance }: AcceptanceRecord): Answer {
  const answer = { status: 202, body: presentPending(order) }
  return acceptance.inquiry === 'pending' ? answer : { ...answer, fault: { kind: 'hang' } }
}

async function answerScripted(
  bank: PaymentBank,
  record: ResultRecord,
  truth: Answer,
  { fault, claim }: Scenario
): Promise<Answer> {
  switch (fault?.kind) {
    case 'tell-first':
      await bank.tell(noticeOf(record))
      return { status: 202, body: presentPending(record.order) }
    case 'misstate':
      return {
        ...truth,
        body: { ...presentPayment(record), [fault.field]: otherThan(record.order, fault.field) }
      }
    default: {
      const notices = claim === undefined ? [] : claimedNotices(record, claim, bank.clock.now())
      return { ...spoil(truth, fault), notices }
    }
  }
}

function spoil(truth: Answer, fault: Replacement | TransportFault | undefined): Answer {
  if (fault === undefined) return truth
  return fault.kind === 'replace' ? fault : { ...truth, fault }
}

function otherThan(order: PaymentOrder, field: 'amount' | 'reference' | 'currency'): string {
  if (field === 'currency') return 'USD'
  if (field === 'reference')
    return `${order.reference.slice(0, -1)}${order.reference.endsWith('x') ? 'y' : 'x'}`
  const parsed = parseAmount(order.amount, BANK_CURRENCY)
  assert(parsed.outcome === 'ok')
  return formatAmount(parsed.amount_minor + 1n, BANK_CURRENCY)
}

function claimedNotices(record: ResultRecord, { rejected, times }: Claim, now: string): Notice[] {
  const truth = noticeOf(record)
  const notice: Notice =
    rejected === undefined ? truth : { ...truth, status: 'REJECTED', reason: rejected, at: now }
  return Array.from({ length: times }, () => notice)
}
