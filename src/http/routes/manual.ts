import type { Context } from '../../context.ts'
import { Problem } from '../../domain/problem.ts'
import { executeOneTransfer, findNextFinalBulk } from '../../execution/manual.ts'
import { actingFor } from '../acting.ts'
import type { Server } from '../server-type.ts'

/**
 * Manual mode: one transfer at a time, by hand, with the answers of the original API. A GET that pays is dangerous
 * wherever something prefetches; that is why these routes exist only when they are asked for at the start.
 */
export function manualRoutes(server: Server, context: Context): void {
  server.get(
    '/internal/jobs/transfer',
    { schema: { hide: true }, config: { scope: 'submit', refuses: ['not-found'] } },
    async (_, reply) => {
      const done = await executeOneTransfer(context)
      if (done === null) throw new Problem({ reason: 'not-found', details: 'No transfer job in queue' })
      if (done.status !== 'EXECUTED')
        return reply.code(422).send({
          status: 'failed',
          transfer_uuid: done.transfer_id,
          bulk_request_uuid: done.bulk_id,
          type: 'process-transfer',
          details: `The transfer is ${done.status}: ${done.details}`
        })
      return {
        status: 'processed',
        transfer_id: done.transfer_id,
        amount_cents: Number(-done.amount_minor),
        bulk_request_uuid: done.bulk_id,
        type: 'process-transfer'
      }
    }
  )

  let reported = { completed_at: new Date(context.clock.nowMs()), bulk_no: 0n }
  server.get(
    '/internal/jobs/bulk',
    { schema: { hide: true }, config: { scope: 'submit', refuses: ['not-found'] } },
    async (request) => {
      const { organizationId } = actingFor(request)
      const bulk = await findNextFinalBulk(context.db, { organization_id: organizationId, ...reported })
      if (bulk === null) throw new Problem({ reason: 'not-found', details: 'No bulk job in queue' })
      reported = { completed_at: bulk.completed_at, bulk_no: bulk.bulk_no }
      return {
        type: 'finalize-bulk',
        status: bulk.status,
        bulk_request_uuid: bulk.bulk_id,
        total_transferred_amounts_cents: Number(bulk.total_minor),
        processed_amounts_cents: Number(bulk.executed_minor),
        completed_at: bulk.completed_at.toISOString()
      }
    }
  )
}
