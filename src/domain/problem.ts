/** Every reason that an answer may give for a refusal: its HTTP status, its title, what to do. The one table. */
export const reasons = {
  'malformed-request': {
    status: 400,
    title: 'This is not HTTP',
    mend: 'Send HTTP/1.1, with the header Host once.'
  },
  'malformed-json': {
    status: 400,
    title: 'The body is not valid JSON',
    mend: 'Check quotes, commas and brackets, and send it in UTF-8.'
  },
  'invalid-parameter': {
    status: 400,
    title: 'A parameter of the address is not valid',
    mend: 'Correct or leave out the parameter that is named.'
  },
  unauthorized: {
    status: 401,
    title: 'Credentials are missing or not valid',
    mend: 'Send a key that is whole, live and not expired: "Authorization: Bearer bh_...".'
  },
  forbidden: {
    status: 403,
    title: 'These credentials do not allow this',
    mend: 'Use a key that has the scope which is named.'
  },
  'not-found': {
    status: 404,
    title: 'There is nothing here',
    mend: 'Check the address, and the id in it: it has to be one of your organization.'
  },
  'unknown-account': {
    status: 404,
    title: 'The account is not known',
    mend: 'Use the IBAN and BIC of an account of your organization; GET /accounts lists them.'
  },

  'not-cancellable': {
    status: 409,
    title: 'The bulk has ended',
    mend: 'Nothing: every transfer has ended. The status of the bulk says how.'
  },
  conflict: {
    status: 409,
    title: 'The state of things does not allow this',
    mend: 'Read the state that is told, and ask for what it allows.'
  },
  'nothing-to-retry': {
    status: 409,
    title: 'There is no failed transfer to retry',
    mend: 'Nothing: no transfer failed, or all that did were retried; see retried_as.'
  },
  'too-many-endpoints': {
    status: 409,
    title: 'There are as many webhook endpoints as there may be',
    mend: 'Remove an endpoint that is not needed.'
  },
  'endpoint-disabled': {
    status: 409,
    title: 'The webhook endpoint is disabled',
    mend: 'Enable it first: PATCH {"enabled": true}.'
  },
  'request-timeout': {
    status: 408,
    title: 'The request took too long to arrive',
    mend: 'Send the same request again, faster.'
  },
  'payload-too-large': {
    status: 413,
    title: 'The body is too large',
    mend: 'Split the bulk into several, each with a request_id of its own.'
  },
  'too-many-transfers': {
    status: 413,
    title: 'Too many transfers in one bulk',
    mend: 'Split the bulk: at most 1000 transfers, each bulk with a request_id of its own.'
  },
  'unsupported-media-type': {
    status: 415,
    title: 'The body must be application/json',
    mend: 'Send JSON in UTF-8, not compressed, with content-type: application/json.'
  },
  'expectation-failed': {
    status: 417,
    title: 'The expectation cannot be met',
    mend: 'Leave out the header Expect.'
  },
  'invalid-request': {
    status: 422,
    title: 'The request does not have the right shape',
    mend: 'Correct the fields that errors names.'
  },
  'invalid-request-id': {
    status: 422,
    title: 'The request_id is not a canonical UUID',
    mend: 'Send a UUID such as 123e4567-e89b-12d3-a456-426614174000.'
  },
  'already-processed': {
    status: 422,
    title: 'The request_id is taken by other content',
    mend: 'Look at the bulk that has this id. What is another bulk needs a request_id of its own.'
  },
  'empty-bulk': {
    status: 422,
    title: 'There is no transfer in the bulk',
    mend: 'Send at least one transfer.'
  },
  'invalid-amount': {
    status: 422,
    title: 'An amount is not valid',
    mend: 'Send a decimal string such as "100.00".'
  },
  'negative-or-null-amounts': {
    status: 422,
    title: 'An amount is not greater than zero',
    mend: 'Send amounts greater than zero.'
  },
  'currency-not-supported': { status: 422, title: 'A currency is not supported', mend: 'Send EUR.' },
  'invalid-counterparty': {
    status: 422,
    title: 'A counterparty is not valid',
    mend: 'Check name, IBAN and BIC with the payee.'
  },
  'same-account-transfer': {
    status: 422,
    title: 'A transfer goes to the account that pays it',
    mend: 'Pay to another account than the one that pays.'
  },
  'duplicate-client-transfer-id': {
    status: 422,
    title: 'A client_transfer_id is used twice',
    mend: 'Give each transfer of the bulk an id of its own.'
  },
  'duplicate-transfer': {
    status: 422,
    title: 'A transfer looks like another one',
    mend: 'Take it out, or tell the two apart in their description.'
  },
  'execution-date-not-supported': {
    status: 422,
    title: 'The execution_date is not today',
    mend: 'Leave execution_date out, or send the date of today (UTC).'
  },
  'control-sum-mismatch': {
    status: 422,
    title: 'The control_sum is not the sum of the amounts',
    mend: 'Find out which of the two is wrong: the sum, or an amount.'
  },
  'account-not-active': {
    status: 422,
    title: 'The account is closed or blocked',
    mend: 'Pay from another account, or ask whoever runs this service.'
  },
  'limit-exceeded': {
    status: 422,
    title: 'A limit of the account is exceeded',
    mend: 'Split the bulk, wait until the next day (UTC), or have the limit raised.'
  },
  'insufficient-account-balance': {
    status: 422,
    title: 'Not enough funds',
    mend: 'Pay in what is missing, or wait until other bulks have ended.'
  },
  'rate-limited': {
    status: 429,
    title: 'Too many requests',
    mend: 'Wait for Retry-After, then send the same request again.'
  },
  'headers-too-large': {
    status: 431,
    title: 'The headers are too large',
    mend: 'Send fewer or shorter headers.'
  },
  'internal-error': {
    status: 500,
    title: 'Something is broken on our side',
    mend: 'Send the same request again; tell us the trace_id if it stays.'
  },
  unavailable: {
    status: 503,
    title: 'Not available right now',
    mend: 'Wait for Retry-After, then send the same request again.'
  }
} as const satisfies Record<string, { status: number; title: string; mend: string }>
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
