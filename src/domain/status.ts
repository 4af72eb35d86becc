export const bulkStatuses = [
  'PENDING',
  'SCHEDULED',
  'PROCESSING',
  'COMPLETED',
  'PARTIALLY_COMPLETED',
  'FAILED',
  'CANCELLED'
] as const
export type BulkStatus = (typeof bulkStatuses)[number]

export const transferStatuses = [
  'PENDING',
  'PROCESSING',
  'SENT',
  'UNKNOWN',
  'EXECUTED',
  'FAILED',
  'CANCELLED',
  'RETURNED'
] as const
export type TransferStatus = (typeof transferStatuses)[number]

/** The ways a transfer may go. */
export const transferTransitions: Record<TransferStatus, readonly TransferStatus[]> = {
  PENDING: ['PROCESSING', 'CANCELLED'],
  PROCESSING: ['EXECUTED', 'FAILED', 'SENT', 'UNKNOWN', 'PENDING', 'CANCELLED'],
  SENT: ['EXECUTED', 'FAILED', 'UNKNOWN'],
  UNKNOWN: ['EXECUTED', 'FAILED', 'SENT', 'PENDING', 'CANCELLED'],
  EXECUTED: ['RETURNED'],
  FAILED: [],
  CANCELLED: [],
  RETURNED: []
}

/** What a bulk is once all its transfers are final; the database's final_bulk_status says the same. */
export function finalBulkStatus(count: { transfers: number; executed: number; failed: number }): BulkStatus {
  if (count.executed === count.transfers) return 'COMPLETED'
  if (count.executed > 0) return 'PARTIALLY_COMPLETED'
  return count.failed > 0 ? 'FAILED' : 'CANCELLED'
}
