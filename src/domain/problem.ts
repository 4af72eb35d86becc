/** Every reason that an answer may give for a refusal: its HTTP status and its title. The one table. */
export const reasons = {
  'malformed-request': { status: 400, title: 'This is not HTTP' },
  'malformed-json': { status: 400, title: 'The body is not valid JSON' },
  'invalid-parameter': { status: 400, title: 'A parameter of the address is not valid' },
  unauthorized: { status: 401, title: 'Credentials are missing or not valid' },
  forbidden: { status: 403, title: 'These credentials do not allow this' },
  'not-found': { status: 404, title: 'There is nothing here' },
  'unknown-account': { status: 404, title: 'The account is not known' },

  'not-cancellable': { status: 409, title: 'The bulk has ended' },
  'nothing-to-retry': { status: 409, title: 'There is no failed transfer to retry' },
  'request-timeout': { status: 408, title: 'The request took too long to arrive' },
  'payload-too-large': { status: 413, title: 'The body is too large' },
  'too-many-transfers': { status: 413, title: 'Too many transfers in one bulk' },
  'unsupported-media-type': { status: 415, title: 'The body must be application/json' },
  'invalid-request': { status: 422, title: 'The request does not have the right shape' },
  'invalid-request-id': { status: 422, title: 'The request_id is not a canonical UUID' },
  'already-processed': { status: 422, title: 'The request_id is taken by other content' },
  'empty-bulk': { status: 422, title: 'There is no transfer in the bulk' },
  'invalid-amount': { status: 422, title: 'An amount is not valid' },
  'negative-or-null-amounts': { status: 422, title: 'An amount is not greater than zero' },
  'currency-not-supported': { status: 422, title: 'A currency is not supported' },
  'invalid-counterparty': { status: 422, title: 'A counterparty is not valid' },
  'same-account-transfer': { status: 422, title: 'A transfer goes to the account that pays it' },
  'duplicate-client-transfer-id': { status: 422, title: 'A client_transfer_id is used twice' },
  'execution-date-not-supported': { status: 422, title: 'The execution_date is not today' },
  'control-sum-mismatch': { status: 422, title: 'The control_sum is not the sum of the amounts' },
  'insufficient-account-balance': { status: 422, title: 'Not enough funds' },
  'headers-too-large': { status: 431, title: 'The headers are too large' },
  'internal-error': { status: 500, title: 'Something is broken on our side' },
  unavailable: { status: 503, title: 'Not available right now' }
} as const satisfies Record<string, { status: number; title: string }>
export type Reason = keyof typeof reasons

/** One thing that is wrong: where (a JSON pointer into the body), with which transfer, and what to do about it. */
export interface ErrorItem {
  pointer: string
  index?: number
  client_transfer_id?: string
  code: string
  detail: string
}

export interface ProblemContent {
  reason: Reason
  details: string
  errors?: ErrorItem[]
}

/** The client's fault, thrown where HTTP is near; further in, a refusal is a returned outcome. */
export class Problem extends Error {
  readonly content: ProblemContent
  readonly headers: Record<string, string>

  constructor(content: ProblemContent, headers: Record<string, string> = {}) {
    super(content.details)
    this.content = content
    this.headers = headers
  }
}
