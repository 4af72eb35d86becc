import { z } from 'zod'
import { bulkStatuses, transferStatuses } from '../domain/status.ts'
import { incidentKinds, type IncidentKind } from '../incidents/incidents.ts'

const amount = z
  .string()
  .regex(/^-?\d+\.\d{2}$/)
  .describe('Decimal string with all decimals of the currency.')
const time = z.string().describe('RFC 3339, UTC.')
const share = z.object({ count: z.int(), amount }).meta({ id: 'Share' })

export const acceptance = z
  .object({
    bulk_id: z.string().describe('Equal to the request_id.'),
    message: z.literal('Bulk transfer accepted'),
    status: z.literal('PENDING'),
    status_url: z.string(),
    transfer_count: z.int(),
    total_amount: amount,
    currency: z.string(),
    accepted_at: time,
    warnings: z.array(z.never())
  })
  .meta({ id: 'Acceptance' })

export const bulkStatus = z
  .object({
    bulk_id: z.string(),
    status: z.enum(bulkStatuses),
    final: z.boolean(),
    needs_attention: z
      .boolean()
      .describe(
        'Somebody should look: only transfers with an unknown outcome are left, or one has been unknown for 15 minutes, or an incident is open.'
      ),
    currency: z.string(),
    total: share,
    executed: share,
    pending: share,
    processing: share,
    unknown: share,
    failed: share,
    cancelled: share,
    returned: share.describe('Came back after execution; still counted in executed.'),
    progress: z.number().describe('Ended transfers, 0..1.'),
    accepted_at: time,
    completed_at: time.nullable(),
    version: z.int().describe('Grows with every change.')
  })
  .meta({ id: 'BulkStatus' })

export const cancellation = bulkStatus
  .extend({
    cancelled_now: share.describe('What this call cancelled; the rest had been sent, or had ended.')
  })
  .meta({ id: 'Cancellation' })

export const bulk = bulkStatus
  .extend({
    organization_iban: z.string(),
    organization_bic: z.string(),
    label: z.string().nullable(),
    metadata: z.record(z.string(), z.string()).nullable(),
    on_failure: z.enum(['continue', 'stop']),
    stopped_at: time.nullable().describe('When it was cancelled, or stopped by a failure.'),
    retry_of: z.string().nullable().describe('The bulk whose failed transfers these are.'),
    status_url: z.string(),
    transfers_url: z.string()
  })
  .meta({ id: 'Bulk' })

const attempt = z
  .object({ status: z.enum(transferStatuses), reason: z.string().nullable(), at: time })
  .meta({ id: 'Attempt' })

export const transfer = z
  .object({
    transfer_id: z.string(),
    bulk_id: z.string(),
    index: z.int().describe('Place in credit_transfers, from 0.'),
    client_transfer_id: z.string().nullable(),
    end_to_end_id: z.string().nullable(),
    amount,
    currency: z.string(),
    counterparty_name: z.string(),
    counterparty_bic: z.string(),
    counterparty_iban: z.string(),
    description: z.string(),
    metadata: z.record(z.string(), z.string()).nullable(),
    status: z.enum(transferStatuses),
    retry_of: z.string().nullable().describe('The failed transfer that this one repeats.'),
    retried_as: z.string().nullable().describe('The transfer that repeats this failed one.'),
    returned: z
      .object({ amount, code: z.string().nullable(), reason: z.string().nullable(), at: time })
      .nullable()
      .describe('What came back of it after execution.'),
    failure: z
      .object({
        code: z.string().describe('ISO 20022 external status reason code.'),
        reason: z.string().nullable().describe("The bank's own words."),
        message: z.string(),
        retryable: z.boolean().describe('Whether sending it again unchanged can help.')
      })
      .nullable(),
    bank_reference: z.string().describe('Under which the bank knows it; fixed at acceptance.'),
    attempts: z.array(attempt).describe("The bank's answers, oldest first."),
    updated_at: time
  })
  .meta({ id: 'Transfer' })

export const incident = z
  .object({
    incident_no: z.int(),
    kind: z.enum(Object.keys(incidentKinds) as [IncidentKind, ...IncidentKind[]]),
    subject: z.string(),
    details: z.string(),
    opened_at: time,
    resolved_at: time.nullable()
  })
  .meta({ id: 'Incident' })

export const account = z
  .object({
    iban: z.string(),
    bic: z.string(),
    organization_name: z.string(),
    currency: z.string(),
    balance: amount,
    reserved: amount.describe('Held for transfers that are not final.'),
    available: amount.describe('balance - reserved.')
  })
  .meta({ id: 'Account' })

export const transaction = z
  .object({
    line: z.int().describe('Counts the lines of the account from 1, without a gap.'),
    kind: z.enum(['DEPOSIT', 'TRANSFER', 'RETURN']),
    amount: amount.describe('Negative when money left the account.'),
    currency: z.string(),
    bulk_id: z.string().nullable(),
    transfer_id: z.string().nullable(),
    counterparty_name: z.string().nullable(),
    counterparty_iban: z.string().nullable(),
    description: z.string().nullable(),
    posted_at: time
  })
  .meta({ id: 'Transaction' })

/** A page of a list. */
export function listOf<T extends z.ZodType>(entry: T) {
  return z.object({
    data: z.array(entry),
    has_more: z.boolean(),
    next_cursor: z.string().nullable().describe('Give it as cursor to read on; null at the end.')
  })
}
