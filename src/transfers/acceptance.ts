import { formatAmount } from '../domain/money.ts'
import type { ErrorItem } from '../domain/problem.ts'
import type { ValidBulk } from './normalise-bulk.ts'
import type { VerifiedBulk } from './verify-payees.ts'

/** What the acceptance of a bulk is answered with, the first time and at every replay. */
export interface Acceptance {
  bulk_id: string
  message: 'Bulk transfer accepted'
  status: 'PENDING'
  status_url: string
  /** Nothing is sent until the payer confirms the payees. */
  held: boolean
  transfer_count: number
  total_amount: string
  currency: string
  accepted_at: string
  /** The first of what should be looked at, and how many there are. */
  warnings: ErrorItem[]
  warnings_total: number
}

/** Most warnings that are kept with a bulk and so answered: 1000 of them were 200 bytes of WAL a transfer. */
export const maxKeptWarnings = 100

type Accepted = Pick<ValidBulk, 'request_id' | 'transfer_count' | 'total_minor' | 'currency' | 'warnings'> & {
  warnings_total?: number
  held: boolean
}

/** Whether a bulk is held as it is accepted. */
export function waitsForPayer({ payees }: VerifiedBulk): boolean {
  return payees?.held ?? false
}

/** The answer to a bulk that is accepted, or would be. */
export function describeAcceptance(
  bulk: Accepted,
  acceptedAt: Date,
  mostWarnings: number = maxKeptWarnings
): Acceptance {
  return {
    bulk_id: bulk.request_id,
    message: 'Bulk transfer accepted',
    status: 'PENDING',
    status_url: `/transfers/bulk/${bulk.request_id}/status`,
    held: bulk.held,
    transfer_count: bulk.transfer_count,
    total_amount: formatAmount(bulk.total_minor, bulk.currency),
    currency: bulk.currency,
    accepted_at: acceptedAt.toISOString(),
    warnings: bulk.warnings.slice(0, mostWarnings),
    warnings_total: bulk.warnings_total ?? bulk.warnings.length
  }
}
