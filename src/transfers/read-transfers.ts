import type { Tx } from '../database/statement.ts'
import { statement } from '../database/statement.ts'
import { type Currency, formatAmount } from '../domain/money.ts'
import { describeReasonCode } from '../domain/reason-code.ts'
import { parseTransferId, transferId } from '../domain/reference.ts'
import type { TransferStatus } from '../domain/status.ts'
import { readPayeeResult } from './verify-payees.ts'

/**
 * Transfers of one bulk in the order of their index. The status of a transfer is its outcome's or, while it has none,
 * that of the one open chunk that holds it.
 */
const selectTransfers = statement(
  'select-transfers',
  {
    organization_id: 'int4',
    request_id: 'uuid?',
    bulk_reference: 'text?',
    first_seq: 'int4',
    last_seq: 'int4',
    status: 'text?',
    client_transfer_id: 'text?',
    counterparty_iban: 'text?',
    limit: 'int4'
  },
  {
    bulk_id: 'uuid',
    bulk_reference: 'text',
    currency: 'text',
    seq: 'int2',
    amount_minor: 'int8',
    counterparty_name: 'text',
    counterparty_bic: 'text',
    counterparty_iban: 'text',
    description: 'text',
    client_transfer_id: 'text?',
    end_to_end_id: 'text?',
    metadata: 'jsonb?',
    status: 'text',
    reason_code: 'text?',
    reason: 'text?',
    retry_of: 'text?',
    retried_as: 'text?',
    returned: 'jsonb?',
    payee_result: 'text?',
    suggested_name: 'text?',
    attempts: 'jsonb',
    ended_at: 'timestamptz?',
    updated_at: 'timestamptz'
  },
  `with b as materialized (
     select organization_id, bulk_no, bulk_reference, request_id, currency, accepted_at from bulk
     where organization_id = :organization_id and (request_id = :request_id or bulk_reference = :bulk_reference)
   ), open as materialized (
     select i.seq, c.status from b join chunk c using (organization_id, bulk_no) cross join unnest(c.seqs) as i (seq)
     where c.due_at is not null
   )
   select b.request_id as bulk_id, b.bulk_reference, b.currency, t.seq, t.amount_minor, t.counterparty_name,
          t.counterparty_bic, t.counterparty_iban, t.description, t.client_transfer_id, t.end_to_end_id, t.metadata,
          case when came_back.seq is null then coalesce(o.status, open.status) else 'RETURNED' end::text as status,
          o.reason_code, o.reason, tried.attempts,
          (select p.bulk_reference || '-' || r.seq
           from transfer_retry r join bulk p on (p.organization_id, p.bulk_no) = (r.organization_id, r.bulk_no)
           where (r.organization_id, r.child_bulk_no, r.child_seq) = (t.organization_id, t.bulk_no, t.seq)) as retry_of,
          (select c.bulk_reference || '-' || r.child_seq
           from transfer_retry r join bulk c on (c.organization_id, c.bulk_no) = (r.organization_id, r.child_bulk_no)
           where (r.organization_id, r.bulk_no, r.seq) = (t.organization_id, t.bulk_no, t.seq)) as retried_as,
          case when came_back.seq is not null then
            jsonb_build_object('amount_minor', came_back.amount_minor::text, 'code', came_back.reason_code,
                               'reason', came_back.reason, 'at', came_back.recorded_at) end as returned,
          substr(v.results, t.seq + 1, 1) as payee_result, v.suggested_names ->> t.seq::text as suggested_name,
          o.recorded_at as ended_at, coalesce(came_back.recorded_at, o.recorded_at, tried.last_at, b.accepted_at) as updated_at
   from b
   join transfer t using (organization_id, bulk_no)
   left join outcome o using (organization_id, bulk_no, seq)
   left join transfer_return came_back using (organization_id, bulk_no, seq)
   left join open using (seq)
   left join payee_verification v using (organization_id, bulk_no)
   cross join lateral (
     select coalesce(jsonb_agg(jsonb_build_object('status', a.status, 'reason', a.reason, 'at', a.recorded_at)
                     order by a.attempt_no), '[]') as attempts,
            max(a.recorded_at) as last_at
     from attempt a where (a.organization_id, a.bulk_no, a.seq) = (t.organization_id, t.bulk_no, t.seq)
   ) tried
   where t.seq between :first_seq and :last_seq
     and (:status is null
          or case when came_back.seq is null then coalesce(o.status, open.status) else 'RETURNED' end::text = :status)
     and (:client_transfer_id is null or t.client_transfer_id = :client_transfer_id)
     and (:counterparty_iban is null or t.counterparty_iban = :counterparty_iban)
   order by t.seq
   limit :limit`
)
type TransferRow = Awaited<ReturnType<typeof selectTransfers>>[number]

const bulkExists = statement(
  'bulk-exists',
  { organization_id: 'int4', request_id: 'uuid' },
  { found: 'bool' },
  `select true as found from bulk where organization_id = :organization_id and request_id = :request_id`
)

/** Up to `limit` transfers of a bulk from `first_seq` on, or null if the organization has no such bulk. */
export async function listTransfers(
  tx: Tx,
  query: {
    organization_id: number
    bulk_id: string
    first_seq: number
    status: TransferStatus | null
    client_transfer_id?: string | null
    counterparty_iban?: string | null
    limit: number
  }
) {
  const { bulk_id, client_transfer_id = null, counterparty_iban = null, ...rest } = query
  const [found] = await bulkExists(tx, { organization_id: query.organization_id, request_id: bulk_id })
  if (!found) return null
  const rows = await selectTransfers(tx, {
    ...rest,
    client_transfer_id,
    counterparty_iban,
    request_id: bulk_id,
    bulk_reference: null,
    last_seq: 999
  })
  return rows.map(describeTransfer)
}

/** One transfer by its id, or null if the organization has none of it. */
export async function readTransfer(tx: Tx, organizationId: number, id: string) {
  const parsed = parseTransferId(id)
  if (parsed === null) return null
  const [row] = await selectTransfers(tx, {
    organization_id: organizationId,
    request_id: null,
    bulk_reference: parsed.bulk_reference,
    first_seq: parsed.seq,
    last_seq: parsed.seq,
    status: null,
    client_transfer_id: null,
    counterparty_iban: null,
    limit: 1
  })
  return row ? describeTransfer(row) : null
}

export type Transfer = ReturnType<typeof describeTransfer>

function describeTransfer(row: TransferRow) {
  const id = transferId(row.bulk_reference, row.seq)
  return {
    transfer_id: id,
    bulk_id: row.bulk_id,
    index: row.seq,
    client_transfer_id: row.client_transfer_id,
    end_to_end_id: row.end_to_end_id,
    amount: formatAmount(row.amount_minor, row.currency as Currency),
    currency: row.currency,
    counterparty_name: row.counterparty_name,
    counterparty_bic: row.counterparty_bic,
    counterparty_iban: row.counterparty_iban,
    description: row.description,
    metadata: row.metadata as Record<string, string> | null,
    status: row.status as TransferStatus,
    retry_of: row.retry_of,
    retried_as: row.retried_as,
    returned: describeReturn(row),
    payee_check: describePayee(row),
    failure: row.reason_code === null ? null : describeFailure(row.reason_code, row.reason),
    bank_reference: id,
    attempts: describeAttempts(row),
    updated_at: row.updated_at.toISOString()
  }
}

function describeFailure(code: string, reason: string | null) {
  const { message, retryable } = describeReasonCode(code)
  return { code, reason, message, retryable }
}

function describePayee({ payee_result, suggested_name }: TransferRow) {
  const result = readPayeeResult(payee_result)
  return result === null ? null : { result, suggested_name }
}

function describeReturn({ returned, currency }: TransferRow) {
  if (returned === null) return null
  const { amount_minor, code, reason, at } = returned as Record<string, string> & {
    code: string | null
    reason: string | null
  }
  const amount = formatAmount(BigInt(amount_minor ?? 0), currency as Currency)
  return { amount, code, reason, at: new Date(at ?? 0).toISOString() }
}

/** Every answer of the bank, oldest first: those that ended nothing, then the one that ended it. */
function describeAttempts(row: TransferRow) {
  const earlier = (row.attempts as { status: TransferStatus; reason: string; at: string }[]).map(
    (attempt) => ({
      ...attempt,
      at: new Date(attempt.at).toISOString()
    })
  )
  if (!['EXECUTED', 'FAILED', 'RETURNED'].includes(row.status)) return earlier
  const ended = row.status === 'FAILED' ? 'FAILED' : 'EXECUTED'
  return [
    ...earlier,
    { status: ended as TransferStatus, reason: row.reason_code, at: row.ended_at?.toISOString() ?? '' }
  ]
}
