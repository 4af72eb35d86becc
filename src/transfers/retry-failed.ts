import { createHash } from 'node:crypto'
import type { Context } from '../context.ts'
import { isUniqueViolation } from '../database/errors.ts'
import { statement } from '../database/statement.ts'
import { fullBic } from '../domain/account-number.ts'
import { packFingerprints } from '../domain/fingerprint.ts'
import type { Currency } from '../domain/money.ts'
import type { ProblemContent } from '../domain/problem.ts'
import type { StoredTransfer } from './normalise-bulk.ts'
import { readValidationProfile } from '../organizations/validation-profile.ts'
import { acceptOrExplain, checkPayees, findReplay, type Submission } from './submit-bulk.ts'
import { checkRequestId } from './validate-bulk.ts'

/** What is sent again, as it is stored. The order is that of the failed transfers. */
const selectFailed = statement(
  'select-failed-transfers',
  { organization_id: 'int4', request_id: 'uuid' },
  {
    bulk_no: 'int8',
    iban: 'text',
    bic: 'text',
    currency: 'text',
    on_failure: 'text',
    label: 'text?',
    metadata: 'text?',
    failed_count: 'int4',
    seqs: 'int2[]',
    total_minor: 'int8',
    transfers: 'json'
  },
  `select b.bulk_no, a.iban, a.bic, b.currency, b.on_failure::text, b.label, b.metadata::text, b.failed_count, f.*
   from bulk b
   join account a using (organization_id, account_id)
   cross join lateral (
     select coalesce(array_agg(t.seq order by t.seq), '{}') as seqs,
            coalesce(sum(t.amount_minor), 0)::int8 as total_minor,
            coalesce(json_agg(json_build_object(
              'amount_minor', t.amount_minor::text, 'counterparty_name', t.counterparty_name,
              'counterparty_bic', t.counterparty_bic, 'counterparty_iban', t.counterparty_iban,
              'description', t.description, 'client_transfer_id', t.client_transfer_id,
              'end_to_end_id', t.end_to_end_id, 'metadata', t.metadata) order by t.seq), '[]') as transfers
     from outcome o
     join transfer t using (organization_id, bulk_no, seq)
     where (o.organization_id, o.bulk_no) = (b.organization_id, b.bulk_no) and o.status = 'FAILED'
       and not exists (
         select from transfer_retry r
         where (r.organization_id, r.bulk_no, r.seq) = (o.organization_id, o.bulk_no, o.seq))
   ) f
   where b.organization_id = :organization_id and b.request_id = :request_id`
)

interface RetryRequest {
  bulk_id: string
  request_id: string
  /** Is told how many transfers would be sent again, once, before they are; throws if they may not be. */
  admit?: (transfers: number) => Promise<void>
}

/**
 * Sends the failed transfers of a bulk again, as a bulk of their own that is linked to it: exactly those that are
 * FAILED now and were not retried before; UNKNOWN and EXECUTED ones can't be among them. The request_id makes it
 * idempotent, as with any bulk. Null if there is no such bulk.
 */
export async function retryFailed(
  context: Context,
  organizationId: number,
  request: RetryRequest
): Promise<Submission | null> {
  const { bulk_id } = request
  const idProblem = checkRequestId(request.request_id)
  if (idProblem) return { outcome: 'refused', problem: idProblem }
  const request_id = request.request_id.toLowerCase()
  const content_hash = createHash('sha256').update(`retry-failed ${bulk_id.toLowerCase()}`).digest()
  for (let tries = 0; tries < 5; tries++) {
    const parent = { organization_id: organizationId, request_id: bulk_id }
    const [failed] = await selectFailed(context.db, parent)
    if (!failed) return null
    const replay = await findReplay(context.db, organizationId, { request_id, content_hash })
    if (replay) return replay
    if (failed.seqs.length === 0) return { outcome: 'refused', problem: nothingToRetry(failed.failed_count) }
    if (tries === 0) await request.admit?.(failed.seqs.length)
    try {
      const submission = await sendAgain(context, organizationId, failed, { request_id, content_hash })
      if (submission.outcome !== 'refused') return submission
      // The money may be short because another retry, a moment ago, reserved it for these very transfers.
      const [now] = await selectFailed(context.db, parent)
      return now?.seqs.length === 0
        ? { outcome: 'refused', problem: nothingToRetry(now.failed_count) }
        : submission
    } catch (error) {
      // Another retry of the same transfers was first: what is left to retry is looked up anew.
      if (!isUniqueViolation(error, 'transfer_retry_pkey')) throw error
    }
  }
  return { outcome: 'refused', problem: { reason: 'unavailable', details: 'Try again in a moment.' } }
}

type Failed = Awaited<ReturnType<typeof selectFailed>>[number]

/** Submits the failed transfers as a bulk; their payees are checked as ever: a payment order may not opt out by itself. */
async function sendAgain(
  context: Context,
  organizationId: number,
  failed: Failed,
  identity: { request_id: string; content_hash: Buffer }
): Promise<Submission> {
  const { payee_check: policy } = await readValidationProfile(context.db, organizationId)
  const transfers = failed.transfers as StoredTransfer[]
  const bulk = {
    ...identity,
    organization_iban: failed.iban,
    organization_bic: fullBic(failed.bic),
    currency: failed.currency as Currency,
    transfer_count: failed.seqs.length,
    total_minor: failed.total_minor,
    on_failure: failed.on_failure as 'continue' | 'stop',
    label: failed.label,
    metadata: failed.metadata,
    transfers,
    fingerprints: packFingerprints(transfers),
    warnings: []
  }
  const verified = await checkPayees(context, organizationId, { bulk, payees: { policy, opt_out: false } })
  if (verified.outcome !== 'valid') return verified
  return acceptOrExplain(context, organizationId, {
    ...verified.bulk,
    retry_of: failed.bulk_no,
    retried_seqs: failed.seqs
  })
}

function nothingToRetry(failedCount: number): ProblemContent {
  return {
    reason: 'nothing-to-retry',
    details:
      failedCount === 0
        ? 'No transfer of this bulk has failed.'
        : 'All failed transfers of this bulk have been retried already: see retried_as of each of them.'
  }
}
