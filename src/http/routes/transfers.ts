import { z } from 'zod'
import { Problem } from '../../domain/problem.ts'
import { readTransfer } from '../../transfers/read-transfers.ts'
import { actingFor } from '../acting.ts'
import * as schemas from '../schemas.ts'
import type { Server } from '../server-type.ts'

/** One transfer. */
export function transferRoutes(server: Server): void {
  server.get(
    '/transfers/:transfer_id',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'read_transfer',
        tags: ['transfers'],
        summary: 'A transfer and what the bank said of it',
        params: z.object({ transfer_id: z.string() }),
        response: { 200: schemas.transfer }
      }
    },
    async (request) => {
      const { context, organizationId } = actingFor(request)
      const transfer = await readTransfer(context.db, organizationId, request.params.transfer_id)
      if (transfer === null)
        throw new Problem({ reason: 'not-found', details: 'There is no transfer with this transfer_id.' })
      return transfer
    }
  )
}
