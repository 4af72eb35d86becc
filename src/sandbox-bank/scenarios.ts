import type { Reason } from './payment-record.ts'
import type { Scenario } from './scenario.ts'

const proxyPage = (title: string) =>
  `<html><head><title>${title}</title></head><body><center><h1>${title}</h1></center><hr></body></html>\n`

const outcomeUnknown = { reason: 'outcome-unknown', details: 'Something broke; ask what became of it.' }
const tooMany = { reason: 'too-many-requests', details: 'Nothing was executed: come back in a second.' }
const closed: Reason = { code: 'AC04', message: 'Closed account' }

const rejections: readonly (Reason & { iban: string })[] = [
  { iban: 'DE72000000000000001001', code: 'AC01', message: 'Incorrect account number' },
  { iban: 'DE88000000000000001004', ...closed },
  { iban: 'DE34000000000000001006', code: 'AC06', message: 'Blocked account' },
  { iban: 'DE27000000000000002005', code: 'AM05', message: 'Duplicate payment' },
  { iban: 'DE04000000000000003001', code: 'AG01', message: 'Transaction forbidden' },
  { iban: 'DE67000000000000004001', code: 'RC01', message: 'Bank identifier incorrect' },
  { iban: 'DE49000000000000005004', code: 'RR04', message: 'Regulatory reason' },
  { iban: 'DE42000000000000006003', code: 'MS03', message: 'Reason not specified by the agent' }
]

const executed = { expected_status: 'EXECUTED', deed: { kind: 'execute' } } as const

/**
 * Every scenario. The IBANs are valid by checksum and belong to no real bank (bank code 0). Their account numbers
 * tell the kind: 0 nothing special; 1 to 6 rejected (AC, AM, AG, RC, RR, MS); 7 the first submission does nothing;
 * 8 executed at once, and badly answered; 9 told later, otherwise, or never.
 */
export const scenarios: readonly Scenario[] = [
  {
    scenario: 'accept',
    counterparty_iban: 'DE09000000000000000001',
    expected_status: 'EXECUTED',
    description: 'Executed at once, like every IBAN that is not in this table.',
    deed: { kind: 'execute' }
  },
  ...rejections.map(({ iban, code, message }): Scenario => ({
    scenario: `reject-${code}`,
    counterparty_iban: iban,
    expected_status: 'FAILED',
    expected_reason: code,
    description: `Rejected at once: ${message}.`,
    deed: { kind: 'reject', reason: { code, message } }
  })),
  {
    scenario: 'timeout-then-not-executed',
    counterparty_iban: 'DE62000000000000007001',
    expected_status: 'EXECUTED',
    description: 'The first submission is not executed and never answered; an inquiry says 404.',
    deed: { kind: 'drop-first', fault: { kind: 'hang' } }
  },
  {
    scenario: 'reset-before-execution',
    counterparty_iban: 'DE35000000000000007002',
    expected_status: 'EXECUTED',
    description: 'The first submission is not executed, and its connection is reset.',
    deed: { kind: 'drop-first', fault: { kind: 'reset' } }
  },
  {
    scenario: 'down-for-5s',
    counterparty_iban: 'DE08000000000000007003',
    expected_status: 'EXECUTED',
    description: 'The first submission makes the whole bank unreachable for 5 s of real time.',
    deed: { kind: 'drop-first', fault: { kind: 'outage', seconds: 5 } }
  },
  {
    scenario: 'invalid-payment',
    counterparty_iban: 'DE44000000000000007422',
    expected_status: 'FAILED',
    expected_reason: 'NARR',
    description: 'Every submission is refused as invalid with 422; nothing is ever executed.',
    deed: { kind: 'refuse' }
  },
  {
    scenario: '429',
    counterparty_iban: 'DE49000000000000007429',
    expected_status: 'EXECUTED',
    description: 'The first submission is refused with 429 and Retry-After: 1.',
    deed: {
      kind: 'drop-first',
      fault: { kind: 'replace', status: 429, headers: { 'retry-after': '1' }, body: tooMany }
    }
  },
  {
    scenario: '500-not-executed',
    counterparty_iban: 'DE72000000000000007500',
    expected_status: 'EXECUTED',
    description: 'The first submission is not executed and answered 500, which says nothing.',
    deed: { kind: 'drop-first', fault: { kind: 'replace', status: 500, body: outcomeUnknown } }
  },
  {
    scenario: '503-not-executed',
    counterparty_iban: 'DE88000000000000007503',
    expected_status: 'EXECUTED',
    description: "The first submission is not executed, and the bank's own 503 says so.",
    deed: { kind: 'drop-first' }
  },
  {
    scenario: 'timeout-then-executed',
    counterparty_iban: 'DE28000000000000008001',
    ...executed,
    description: 'Executed, and the first submission never answered; an inquiry or a repeat tells.',
    fault: { kind: 'hang' }
  },
  {
    scenario: 'late-answer',
    counterparty_iban: 'DE98000000000000008002',
    ...executed,
    description: 'Executed at once and answered 15 s later.',
    fault: { kind: 'delay', seconds: 15 }
  },
  {
    scenario: 'reset-after-execution',
    counterparty_iban: 'DE71000000000000008003',
    ...executed,
    description: 'Executed, and the connection reset before the answer.',
    fault: { kind: 'reset' }
  },
  {
    scenario: 'slow-drip',
    counterparty_iban: 'DE44000000000000008004',
    ...executed,
    description: 'Executed, and answered one byte a second.',
    fault: { kind: 'drip' }
  },
  {
    scenario: 'huge-body',
    counterparty_iban: 'DE17000000000000008005',
    ...executed,
    description: 'Executed, and answered with 50 MB, the truth behind endless blanks.',
    fault: { kind: 'huge' }
  },
  {
    scenario: 'wrong-amount',
    counterparty_iban: 'DE44000000000000008101',
    ...executed,
    description: 'Executed rightly; the first answer names another amount.',
    fault: { kind: 'misstate', field: 'amount' }
  },
  {
    scenario: 'wrong-reference',
    counterparty_iban: 'DE17000000000000008102',
    ...executed,
    description: 'Executed rightly; the first answer names another reference.',
    fault: { kind: 'misstate', field: 'reference' }
  },
  {
    scenario: 'wrong-currency',
    counterparty_iban: 'DE87000000000000008103',
    ...executed,
    description: 'Executed rightly; the first answer names another currency.',
    fault: { kind: 'misstate', field: 'currency' }
  },
  {
    scenario: 'html',
    counterparty_iban: 'DE87000000000000008200',
    ...executed,
    description: 'Executed, and answered 200 with a page of HTML.',
    fault: { kind: 'replace', status: 200, body: proxyPage('Scheduled maintenance') }
  },
  {
    scenario: 'redirect',
    counterparty_iban: 'DE49000000000000008302',
    ...executed,
    description: 'Executed, and answered with a redirect to another address.',
    fault: {
      kind: 'replace',
      status: 302,
      headers: { location: 'http://127.0.0.1:9/payments' },
      body: proxyPage('302 Found')
    }
  },
  {
    scenario: '500-executed',
    counterparty_iban: 'DE38000000000000008500',
    ...executed,
    description: 'Executed, and answered 500.',
    fault: { kind: 'replace', status: 500, body: outcomeUnknown }
  },
  {
    scenario: '502-executed',
    counterparty_iban: 'DE81000000000000008502',
    ...executed,
    description: "Executed, and answered with a proxy's 502 in HTML.",
    fault: { kind: 'replace', status: 502, body: proxyPage('502 Bad Gateway') }
  },
  {
    scenario: '503-executed',
    counterparty_iban: 'DE54000000000000008503',
    ...executed,
    description: "Executed, and answered with a proxy's 503 in HTML, which is not the bank's word.",
    fault: { kind: 'replace', status: 503, body: proxyPage('503 Service Temporarily Unavailable') }
  },
  {
    scenario: 'not-found-then-executed',
    counterparty_iban: 'DE91000000000000009001',
    expected_status: 'EXECUTED',
    description: 'Executed 5 s later; until then submissions hang and inquiries say 404.',
    deed: { kind: 'hold', inquiry: 'not-found', planned: { after_s: 5 } }
  },
  {
    scenario: 'accepted-then-executed',
    counterparty_iban: 'DE64000000000000009002',
    expected_status: 'EXECUTED',
    description: 'Answered 202 PENDING, and executed 3 s later; a callback and inquiries tell.',
    deed: { kind: 'hold', inquiry: 'pending', planned: { after_s: 3 } }
  },
  {
    scenario: 'accepted-then-rejected',
    counterparty_iban: 'DE37000000000000009003',
    expected_status: 'FAILED',
    expected_reason: closed.code,
    description: 'Answered 202 PENDING, and rejected 3 s later; a callback and inquiries tell.',
    deed: { kind: 'hold', inquiry: 'pending', planned: { after_s: 3, reason: closed } }
  },
  {
    scenario: 'executed-told-before-accepted',
    counterparty_iban: 'DE10000000000000009004',
    expected_status: 'EXECUTED',
    description: 'Executed; the callback with the result comes before the answer 202 PENDING.',
    deed: { kind: 'execute' },
    fault: { kind: 'tell-first' }
  },
  {
    scenario: 'duplicate-answer',
    counterparty_iban: 'DE80000000000000009005',
    expected_status: 'EXECUTED',
    description: 'Executed and answered, and then told three times by callback as well.',
    deed: { kind: 'execute' },
    claim: { times: 3 }
  },
  {
    scenario: 'contradiction',
    counterparty_iban: 'DE53000000000000009006',
    expected_status: 'EXECUTED',
    description: 'Executed and answered; then a callback claims that it was rejected.',
    deed: { kind: 'execute' },
    claim: { rejected: closed, times: 1 }
  },
  {
    scenario: 'returned-after-5s',
    counterparty_iban: 'DE26000000000000009007',
    expected_status: 'RETURNED',
    description: 'Executed, and all of it returned 5 s later; the callback tells it three times.',
    deed: { kind: 'execute', returned: { after_s: 5, reason: closed, kept_minor: 0n, told_times: 3 } }
  },
  {
    scenario: 'returned-partly',
    counterparty_iban: 'DE96000000000000009008',
    expected_status: 'RETURNED',
    description: 'Executed, and returned 5 s later but for 0.01 (of an amount that is larger).',
    deed: { kind: 'execute', returned: { after_s: 5, reason: closed, kept_minor: 1n, told_times: 1 } }
  },
  {
    scenario: 'unknown-for-ever',
    counterparty_iban: 'DE69000000000000009009',
    expected_status: 'UNKNOWN',
    description: 'Never executed and never answered; inquiries say 500, now and always.',
    deed: { kind: 'hold', inquiry: 'unknown' }
  }
]

const byIban = new Map(scenarios.map((scenario) => [scenario.counterparty_iban, scenario]))

/** The scenario of a counterparty's IBAN; an ordinary IBAN, which is executed at once, has none. */
export function findScenario(counterpartyIban: string): Scenario | undefined {
  return byIban.get(counterpartyIban)
}
