import type { Context } from '../context.ts'
import { isUniqueViolation } from '../database/errors.ts'
import type { Tx } from '../database/statement.ts'
import { statement } from '../database/statement.ts'
import { type Currency, formatAmount } from '../domain/money.ts'
import type { ProblemContent } from '../domain/problem.ts'
import { makeBulkReference } from '../domain/reference.ts'
import { acceptBulk } from './accept-queries.ts'
import { readRequest } from './read-request.ts'
import { checkRequestId, validateBulk, type ValidBulk } from './validate-bulk.ts'

/** What the acceptance of a bulk is answered with, the first time and at every replay. */
export interface Acceptance {
  bulk_id: string
  message: 'Bulk transfer accepted'
  status: 'PENDING'
  status_url: string
  transfer_count: number
  total_amount: string
  currency: string
  accepted_at: string
  warnings: []
}

export type Submission =
  | { outcome: 'accepted' | 'replayed'; acceptance: Acceptance }
  | { outcome: 'refused'; problem: ProblemContent }

/**
 * Accepts a bulk or refuses it, never anything between. Accepted: the money is reserved and the bulk survives any
 * crash. Refused: nothing is left behind and the request_id is free. The same content again: the first answer again.
 */
export async function submitBulk(
  context: Context,
  organizationId: number,
  body: unknown
): Promise<Submission> {
  const checked = await check(context, organizationId, body)
  if (checked.outcome !== 'valid') return checked
  const { bulk } = checked
  return acceptOrExplain(context, organizationId, { ...bulk, retry_of: null, retried_seqs: null })
}

/** A bulk whose content is right, and of which failed transfers of another bulk it is made, if it is a retry. */
export interface AcceptableBulk extends ValidBulk {
  retry_of: bigint | null
  retried_seqs: number[] | null
}

/** Accepts a bulk whose content is right, or tells why that can't be: a taken request_id, the account, the funds. */
export async function acceptOrExplain(
  context: Context,
  organizationId: number,
  bulk: AcceptableBulk
): Promise<Submission> {
  for (let tries = 0; tries < 5; tries++) {
    const accepted = await accept(context, organizationId, bulk)
    if (accepted !== null) {
      announce(context, organizationId, accepted.bulk_no)
      return { outcome: 'accepted', acceptance: describeAcceptance(bulk, accepted.accepted_at) }
    }
    const explained = await explain(context.db, organizationId, bulk)
    if (explained.outcome !== 'acceptable') return explained
    // What stood in its way (too little money) has gone since: the next try decides.
  }
  return {
    outcome: 'refused',
    problem: {
      reason: 'unavailable',
      details: 'The account is changing too fast right now; try again in a moment.'
    }
  }
}

/** Tells the workers, and does not wait: a hint that is lost or late costs a poll. */
function announce(context: Context, organizationId: number, bulkNo: bigint): void {
  context.broker
    .announce({ organization_id: organizationId, bulk_no: bulkNo.toString() })
    .catch((error: unknown) => {
      context.log.warn({ err: error }, 'could not announce work; workers find it when they poll')
    })
}

/** What submitBulk would answer, with nothing stored and the request_id not consumed. */
export async function previewBulk(
  context: Context,
  organizationId: number,
  body: unknown
): Promise<Submission> {
  const checked = await check(context, organizationId, body)
  if (checked.outcome !== 'valid') return checked
  const explained = await explain(context.db, organizationId, checked.bulk)
  if (explained.outcome !== 'acceptable') return explained
  const now = new Date(context.clock.nowMs())
  return { outcome: 'accepted', acceptance: describeAcceptance(checked.bulk, now) }
}

type Checked = { outcome: 'valid'; bulk: ValidBulk } | Submission

/** All checks of the body itself. A request_id that is taken wins over whatever is wrong behind it. */
async function check(context: Context, organizationId: number, body: unknown): Promise<Checked> {
  const read = readRequest(body)
  if (read.outcome === 'refused') return read
  const idProblem = checkRequestId(read.request.request_id)
  if (idProblem) return { outcome: 'refused', problem: idProblem }
  const today = new Date(context.clock.nowMs()).toISOString().slice(0, 10)
  const validated = validateBulk(read.request, read.transferCount, today)
  if (validated.outcome === 'valid') return validated
  const { problem, bulk } = validated
  const request_id = read.request.request_id.toLowerCase()
  const content_hash = bulk?.content_hash ?? null
  const replay = await findReplay(context.db, organizationId, { request_id, content_hash })
  return replay ?? { outcome: 'refused', problem }
}

/** The answer to a request_id that is taken: the first answer for the same content, a refusal for other content. */
export async function findReplay(
  tx: Tx,
  organizationId: number,
  request: { request_id: string; content_hash: Buffer | null }
): Promise<Submission | null> {
  const { request_id, content_hash } = request
  const [taken] = await findBulk(tx, { organization_id: organizationId, request_id })
  if (!taken) return null
  const bulk = { ...taken, request_id, currency: taken.currency as Currency }
  return content_hash !== null && taken.content_hash.equals(content_hash)
    ? { outcome: 'replayed', acceptance: describeAcceptance(bulk, taken.accepted_at) }
    : { outcome: 'refused', problem: alreadyProcessed(request_id) }
}

async function accept(context: Context, organizationId: number, bulk: AcceptableBulk) {
  try {
    const [row] = await acceptBulk(context.db, {
      organization_id: organizationId,
      request_id: bulk.request_id,
      iban: bulk.organization_iban,
      bic: bulk.organization_bic,
      currency: bulk.currency,
      total_minor: bulk.total_minor,
      transfer_count: bulk.transfer_count,
      chunk_size: chunkSize(context, bulk),
      on_failure: bulk.on_failure,
      bulk_reference: makeBulkReference(context.clock.nowMs(), context.random.bytes(10)),
      content_hash: bulk.content_hash,
      label: bulk.label,
      metadata: bulk.metadata,
      transfers: bulk.transfers,
      retry_of: bulk.retry_of,
      retried_seqs: bulk.retried_seqs
    })
    return row ?? null
  } catch (error) {
    // Two of one request_id at once: the second is explained like any other repetition.
    if (isUniqueViolation(error, 'bulk_organization_id_request_id_key')) return null
    throw error
  }
}

/** With on_failure stop one chunk at a time is sent, and what one holds may be sent although another failed. */
const chunkSizeOfStop = 10

function chunkSize({ settings }: Context, { on_failure }: ValidBulk): number {
  return on_failure === 'stop' ? Math.min(chunkSizeOfStop, settings.CHUNK_SIZE) : settings.CHUNK_SIZE
}

const findBulk = statement(
  'find-bulk-by-request-id',
  { organization_id: 'int4', request_id: 'uuid' },
  {
    content_hash: 'bytea',
    accepted_at: 'timestamptz',
    transfer_count: 'int4',
    total_minor: 'int8',
    currency: 'text'
  },
  `select content_hash, accepted_at, transfer_count, total_minor, currency from bulk
   where organization_id = :organization_id and request_id = :request_id`
)

const findPayer = statement(
  'find-payer',
  { organization_id: 'int4', iban: 'text', bic: 'text', currency: 'text' },
  { available_minor: 'int8' },
  `select balance_minor - reserved_minor as available_minor from account
   where organization_id = :organization_id and iban = :iban and bic = :bic and currency = :currency`
)

/** Why a bulk was not accepted, in the order in which reasons win: replay, taken id, account, funds. */
async function explain(
  tx: Tx,
  organizationId: number,
  bulk: ValidBulk
): Promise<Submission | { outcome: 'acceptable' }> {
  const replay = await findReplay(tx, organizationId, bulk)
  if (replay) return replay
  const [payer] = await findPayer(tx, {
    organization_id: organizationId,
    iban: bulk.organization_iban,
    bic: bulk.organization_bic,
    currency: bulk.currency
  })
  if (!payer) return { outcome: 'refused', problem: unknownAccount }
  if (payer.available_minor < bulk.total_minor)
    return { outcome: 'refused', problem: notEnoughFunds(bulk, payer) }
  return { outcome: 'acceptable' }
}

type Accepted = Pick<ValidBulk, 'request_id' | 'transfer_count' | 'total_minor' | 'currency'>

function describeAcceptance(bulk: Accepted, acceptedAt: Date): Acceptance {
  return {
    bulk_id: bulk.request_id,
    message: 'Bulk transfer accepted',
    status: 'PENDING',
    status_url: `/transfers/bulk/${bulk.request_id}/status`,
    transfer_count: bulk.transfer_count,
    total_amount: formatAmount(bulk.total_minor, bulk.currency),
    currency: bulk.currency,
    accepted_at: acceptedAt.toISOString(),
    warnings: []
  }
}

function alreadyProcessed(requestId: string): ProblemContent {
  return {
    reason: 'already-processed',
    details: `Request ${requestId} already processed.`,
    errors: [
      {
        pointer: '/request_id',
        code: 'taken',
        detail: `A bulk with other content has this request_id: see /transfers/bulk/${requestId}. Use a new request_id.`
      }
    ]
  }
}

const unknownAccount: ProblemContent = {
  reason: 'unknown-account',
  details: 'Your account should be active',
  errors: [
    {
      pointer: '/organization_iban',
      code: 'unknown-account',
      detail: 'Your organization has no account with this IBAN and BIC; GET /accounts lists yours.'
    }
  ]
}

function notEnoughFunds(bulk: ValidBulk, payer: { available_minor: bigint }): ProblemContent {
  const total = formatAmount(bulk.total_minor, bulk.currency)
  const available = formatAmount(payer.available_minor, bulk.currency)
  return {
    reason: 'insufficient-account-balance',
    details: 'Not enough funds',
    errors: [
      {
        pointer: '/organization_iban',
        code: 'insufficient-funds',
        detail: `The bulk needs ${total} ${bulk.currency}; ${available} ${bulk.currency} is available.`
      }
    ]
  }
}
