import { z } from 'zod'
import type { Context } from '../../context.ts'
import { Problem } from '../../domain/problem.ts'
import { readTransfer } from '../../transfers/read-transfers.ts'
import { problems } from '../problems.ts'
import * as schemas from '../schemas.ts'
import type { Server } from '../server-type.ts'

/** One transfer. */
export function transferRoutes(server: Server, context: Context, organizationId: number): void {
  server.get(
    '/transfers/:transfer_id',
    {
      schema: {
        tags: ['transfers'],
        summary: 'A transfer and what the bank said of it',
        params: z.object({ transfer_id: z.string() }),
        response: { 200: schemas.transfer, ...problems(404, 503) }
      }
    },
    async (request) => {
      const transfer = await readTransfer(context.db, organizationId, request.params.transfer_id)
      if (transfer === null)
        throw new Problem({ reason: 'not-found', details: 'There is no transfer with this transfer_id.' })
      return transfer
    }
  )
}
