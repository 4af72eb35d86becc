import { z } from 'zod'
import { bulkStatuses, transferStatuses } from '../domain/status.ts'
import { eventTypes, type EventType } from '../events/event-types.ts'
import { incidentKinds, type IncidentKind } from '../incidents/incidents.ts'
import { errorItem } from './problem-answer.ts'

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
    held: z
      .boolean()
      .describe('Nothing is sent: look at the warnings of its payees, then release the bulk or cancel it.'),
    accepted_at: time,
    warnings: z
      .array(errorItem)
      .describe(
        'What is accepted, but should be looked at: payees whose name and IBAN do not belong together, probable duplicates, banks and accounts of two countries, texts that reach the bank in other characters. The first 100; all in a dry run.'
      ),
    warnings_total: z.int()
  })
  .meta({ id: 'Acceptance' })

export const bulkStatus = z
  .object({
    bulk_id: z.string(),
    status: z.enum(bulkStatuses),
    final: z.boolean(),
    held: z
      .boolean()
      .describe('It waits: for its payees to be confirmed, see payee_check of the bulk, or for an operator.'),
    needs_attention: z
      .boolean()
      .describe(
        'Somebody should look: it is held, or only transfers with an unknown outcome are left, or one has been unknown for 15 minutes, or an incident is open.'
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

export const release = bulkStatus
  .extend({ released_now: z.int().describe('Transfers that this call lets go on.') })
  .meta({ id: 'Release' })

const payeeCheck = z
  .object({
    checked_at: time,
    opted_out: z.boolean().describe('The request said payee_check "off": nobody was asked.'),
    match: z.int(),
    close_match: z.int(),
    no_match: z.int(),
    not_possible: z.int(),
    held: z.boolean().describe('Whether the bulk was held for its payees to be confirmed.'),
    released_at: time.nullable().describe('When that ended, by a release or a cancellation.'),
    released_by: z.string().nullable()
  })
  .meta({ id: 'PayeeCheck' })

export const bulk = bulkStatus
  .extend({
    organization_iban: z.string(),
    organization_bic: z.string(),
    label: z.string().nullable(),
    metadata: z.record(z.string(), z.string()).nullable(),
    on_failure: z.enum(['continue', 'stop']),
    stopped_at: time.nullable().describe('When it was cancelled, or stopped by a failure.'),
    retry_of: z.string().nullable().describe('The bulk whose failed transfers these are.'),
    payee_check: payeeCheck.nullable().describe('Null: nobody was to be asked.'),
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
    payee_check: z
      .object({
        result: z.enum(['match', 'close-match', 'no-match', 'not-possible']),
        suggested_name: z.string().nullable().describe('Of a close match: the name that the account goes by.')
      })
      .nullable()
      .describe("What the payee's bank said of name and IBAN; null: nobody was asked."),
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

const event = z
  .object({
    position: z
      .int()
      .describe("Place among all of the organization's events; those of the audit log alone have one, too."),
    type: z.enum(Object.keys(eventTypes) as [EventType, ...EventType[]]),
    version: z
      .int()
      .nullable()
      .describe('Version of the bulk that it is about; a version can have several events.'),
    actor: z
      .string()
      .describe('Who did it: key:<key_id>, user:<subject>, demo, operator, or bulkhead itself.'),
    trace_id: z.string().nullable().describe('W3C trace id of the request that it goes back to.'),
    occurred_at: time,
    data: z
      .record(z.string(), z.unknown())
      .describe('Of a bulk: what its status says at that version. It has no name and no IBAN of anybody.'),
    hash: z.string().describe('SHA-256 of the hash before and of the content, in hexadecimal.')
  })
  .meta({ id: 'Event' })

export const eventPage = z.object({
  data: z.array(event),
  has_more: z.boolean(),
  next_after: z.int().describe('Give it as after to read on, also when data is empty.')
})

const auditRecord = z
  .object({
    position: z.int().describe("Place in the organization's records, from 1 without a gap."),
    type: z.string(),
    actor: z
      .string()
      .describe('Who did it: key:<key_id>, user:<subject>, demo, operator:<name>, or bulkhead itself.'),
    trace_id: z.string().nullable().describe('W3C trace id of the request that it goes back to.'),
    occurred_at: time,
    data: z.unknown().describe('What was done; before and after, where something changed.'),
    content: z.string().describe('The very text that the hash covers.'),
    previous_hash: z.string().describe('Of the record before, in hexadecimal; empty before the first.'),
    hash: z.string().describe('SHA-256 of the bytes of previous_hash and of content, in hexadecimal.')
  })
  .meta({ id: 'AuditRecord' })

export const auditPage = z.object({
  data: z.array(auditRecord),
  has_more: z.boolean(),
  next_after: z.int().describe('Give it as after to read on, also when data is empty.')
})

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
    reference: z
      .string()
      .nullable()
      .describe('Of a deposit after the opening: the word that its caller gave it.'),
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
