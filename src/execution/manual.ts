import type { Context } from '../context.ts'
import type { Tx } from '../database/statement.ts'
import { statement } from '../database/statement.ts'
import { transferId } from '../domain/reference.ts'
import { askBank, claimWork, recordClaim } from './execute-claim.ts'
import { putBack } from './interpret-answer.ts'

const findBulkIds = statement(
  'find-bulk-id',
  { organization_id: 'int4', bulk_no: 'int8' },
  { bulk_id: 'uuid' },
  `select request_id as bulk_id from bulk where organization_id = :organization_id and bulk_no = :bulk_no`
)

/** Executes exactly one due transfer and records it, or returns null when none is due. */
export async function executeOneTransfer(context: Context) {
  const claim = await claimWork(context, 'manual', { chunk_limit: 1 })
  const [first, ...rest] = claim?.transfers ?? []
  if (claim === null || first === undefined) return null
  const [result] = await askBank(context, { ...claim, transfers: [first] })
  if (result === undefined) throw new Error('no answer for a claimed transfer')
  await recordClaim(context, claim, [result, ...rest.map((transfer) => putBack(transfer, 0))])
  const [bulk] = await findBulkIds(context.db, claim)
  return {
    transfer_id: transferId(first.bulk_reference, first.seq),
    bulk_id: bulk?.bulk_id ?? '',
    amount_minor: first.amount_minor,
    status: result.status,
    details: result.reason ?? result.reason_code ?? ''
  }
}

const selectNextFinalBulk = statement(
  'select-next-final-bulk',
  { organization_id: 'int4', completed_at: 'timestamptz', bulk_no: 'int8' },
  {
    bulk_no: 'int8',
    bulk_id: 'uuid',
    status: 'text',
    completed_at: 'timestamptz',
    total_minor: 'int8',
    executed_minor: 'int8'
  },
  `select bulk_no, request_id as bulk_id, status::text, date_trunc('milliseconds', completed_at) as completed_at,
          total_minor, executed_minor
   from bulk
   where organization_id = :organization_id
     and (date_trunc('milliseconds', completed_at), bulk_no) > (:completed_at, :bulk_no)
   order by date_trunc('milliseconds', completed_at), bulk_no
   limit 1`
)

/** The first bulk that became final after the given place in the order of completion, or null. */
export async function findNextFinalBulk(
  tx: Tx,
  after: { organization_id: number; completed_at: Date; bulk_no: bigint }
) {
  const [row] = await selectNextFinalBulk(tx, after)
  return row ?? null
}
