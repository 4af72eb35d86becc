import { createHash } from 'node:crypto'
import { fullBic, normaliseBic, normaliseIban } from '../domain/account-number.ts'
import type { PaymentLike } from '../domain/fingerprint.ts'
import type { Currency } from '../domain/money.ts'
import type { ErrorItem } from '../domain/problem.ts'
import type { BulkRequest } from './bulk-request.ts'

/** A bulk that is right in itself: what it says, normalised. Whether it can be paid only the database knows. */
export interface ValidBulk {
  request_id: string
  organization_bic: string
  organization_iban: string
  currency: Currency
  transfer_count: number
  total_minor: bigint
  on_failure: 'continue' | 'stop'
  label: string | null
  /** JSON text with sorted keys, or null. */
  metadata: string | null
  transfers: StoredTransfer[]
  /** SHA-256 of the normalised content: equal for a replay, whatever its key order, spaces or zeros. */
  content_hash: Buffer
  /** What later bulks are compared with. */
  fingerprints: Buffer
  /** What is accepted all the same, but should be looked at. Not content: it depends on how it was checked, and when. */
  warnings: ErrorItem[]
}

type Transfer = BulkRequest['credit_transfers'][number]

/** A transfer as it is stored, its amount in minor units. */
export interface StoredTransfer extends PaymentLike {
  counterparty_name: string
  counterparty_bic: string
  client_transfer_id?: string | null | undefined
  end_to_end_id?: string | null | undefined
  metadata?: Record<string, string> | null | undefined
}

/** A transfer as it is stored: the order of its keys is that of the content hash. */
export function normaliseTransfer(
  transfer: Transfer,
  amount: bigint,
  bic: string,
  iban: string
): StoredTransfer {
  return {
    amount_minor: amount.toString(),
    counterparty_name: transfer.counterparty_name,
    counterparty_bic: bic,
    counterparty_iban: iban,
    description: transfer.description,
    client_transfer_id: transfer.client_transfer_id,
    end_to_end_id: transfer.end_to_end_id,
    metadata: transfer.metadata === undefined ? undefined : sortKeys(transfer.metadata)
  }
}

/** A bulk as it is stored, with the hash of its content. How it is to be checked (duplicate_check) is no content. */
export function normaliseBulk(
  request: BulkRequest,
  stored: StoredTransfer[],
  checked: { total: bigint; fingerprints: Buffer; warnings: ErrorItem[] }
): ValidBulk {
  const head = {
    organization_bic: fullBic(normaliseBic(request.organization_bic)),
    organization_iban: normaliseIban(request.organization_iban),
    on_failure: request.on_failure ?? 'continue',
    label: request.label ?? null,
    metadata: request.metadata === undefined ? null : JSON.stringify(sortKeys(request.metadata))
  }
  return {
    ...head,
    request_id: request.request_id.toLowerCase(),
    currency: 'EUR',
    transfer_count: stored.length,
    total_minor: checked.total,
    fingerprints: checked.fingerprints,
    warnings: checked.warnings,
    transfers: stored,
    content_hash: hashContent(request, head, stored)
  }
}

function hashContent(request: BulkRequest, head: object, stored: StoredTransfer[]): Buffer {
  // Not stored with each transfer, but content all the same: 100 USD is no replay of 100 EUR.
  const currencies = [...new Set(request.credit_transfers.map(({ currency }) => currency))]
  const hasShortBic = stored.some(({ counterparty_bic }) => counterparty_bic.length === 8)
  const content = hasShortBic
    ? stored.map((t) => ({ ...t, counterparty_bic: fullBic(t.counterparty_bic) }))
    : stored
  return createHash('sha256')
    .update(JSON.stringify({ ...head, currencies }))
    .update(JSON.stringify(content))
    .digest()
}

function sortKeys(record: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
