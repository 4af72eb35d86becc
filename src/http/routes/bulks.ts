import type { FastifyReply } from 'fastify'
import { validatorCompiler } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Context } from '../../context.ts'
import { transferStatuses } from '../../domain/status.ts'
import { Problem } from '../../domain/problem.ts'
import { bulkRequest, maxTransfers } from '../../transfers/bulk-request.ts'
import { cancelBulk } from '../../execution/cancel-bulk.ts'
import { readBulk, readBulkStatus } from '../../transfers/read-bulk.ts'
import { listTransfers } from '../../transfers/read-transfers.ts'
import { retryFailed } from '../../transfers/retry-failed.ts'
import { previewBulk, submitBulk } from '../../transfers/submit-bulk.ts'
import { decodeCursor, page, pageQuery } from '../cursor.ts'
import { problems } from '../problems.ts'
import * as schemas from '../schemas.ts'
import type { Server } from '../server-type.ts'

const bulkId = z.object({ bulk_id: z.string().describe('The request_id of the bulk.') })

/** Submit a bulk, and follow it. */
export function bulkRoutes(server: Server, context: Context, organizationId: number): void {
  submitRoute(server, context, organizationId)
  readRoutes(server, context, organizationId)
  transferListRoute(server, context, organizationId)
  cancelRoute(server, context, organizationId)
  retryRoute(server, context, organizationId)
}

function submitRoute(server: Server, context: Context, organizationId: number): void {
  server.post(
    '/transfers/bulk',
    {
      schema: {
        tags: ['bulks'],
        summary: 'Submit a bulk of credit transfers',
        description:
          'Checks everything at once, reserves the money and answers; execution follows by itself. The same content under the same request_id is answered with the first answer and `Idempotent-Replayed: true`.',
        querystring: z.strictObject({
          dry_run: z.enum(['true', 'false']).optional().describe('true: report only; nothing is stored.')
        }),
        body: bulkRequest,
        response: {
          200: schemas.acceptance,
          201: schemas.acceptance,
          ...problems(400, 404, 413, 415, 422, 503)
        }
      },
      // The body is read by submitBulk, which reports all errors of a step at once and in the documented order.
      validatorCompiler: (part) =>
        part.httpPart === 'body' ? (value: unknown) => ({ value }) : validatorCompiler(part as never)
    },
    async (request, reply) => {
      const dryRun = request.query.dry_run === 'true'
      const submission = await (dryRun ? previewBulk : submitBulk)(context, organizationId, request.body)
      if (submission.outcome === 'refused') throw new Problem(submission.problem)
      const { acceptance, outcome } = submission
      if (outcome === 'replayed') reply.header('idempotent-replayed', 'true')
      if (dryRun) return reply.code(200).send(acceptance)
      return reply.code(201).header('location', `/transfers/bulk/${acceptance.bulk_id}`).send(acceptance)
    }
  )
}

function readRoutes(server: Server, context: Context, organizationId: number): void {
  server.get(
    '/transfers/bulk/:bulk_id/status',
    {
      schema: {
        tags: ['bulks'],
        summary: 'The progress of a bulk',
        description:
          'Every count and amount is of one instant, and they add up to the total. Poll with `If-None-Match`, at the pace of `Retry-After`.',
        params: bulkId,
        response: { 200: schemas.bulkStatus, 304: z.null().describe('Unchanged'), ...problems(404, 503) }
      }
    },
    async (request, reply) => {
      const status = await readBulkStatus(context.db, organizationId, requireBulkId(request.params.bulk_id))
      if (status === null) throw bulkNotFound()
      // That somebody should look comes with time, or from an incident, and changes no version.
      const etag = `"${status.version}${status.needs_attention ? '-attention' : ''}"`
      reply.header('etag', etag).header('cache-control', 'private, no-cache')
      if (!status.final) reply.header('retry-after', '1')
      return request.headers['if-none-match'] === etag ? notModified(reply) : reply.send(status)
    }
  )
  server.get(
    '/transfers/bulk/:bulk_id',
    {
      schema: {
        tags: ['bulks'],
        summary: 'A bulk',
        params: bulkId,
        response: { 200: schemas.bulk, ...problems(404, 503) }
      }
    },
    async (request) => {
      const bulk = await readBulk(context.db, organizationId, requireBulkId(request.params.bulk_id))
      if (bulk === null) throw bulkNotFound()
      return bulk
    }
  )
}

function transferListRoute(server: Server, context: Context, organizationId: number): void {
  server.get(
    '/transfers/bulk/:bulk_id/transfers',
    {
      schema: {
        tags: ['transfers'],
        summary: 'The transfers of a bulk, in the order in which they were sent in',
        params: bulkId,
        querystring: z.strictObject({
          status: z.enum(transferStatuses).optional().describe('Only transfers in this status.'),
          ...pageQuery
        }),
        response: { 200: schemas.listOf(schemas.transfer), ...problems(400, 404, 503) }
      }
    },
    async (request) => {
      const { status, limit, cursor } = request.query
      const last = decodeCursor(cursor)
      const rows = await listTransfers(context.db, {
        organization_id: organizationId,
        bulk_id: requireBulkId(request.params.bulk_id),
        first_seq: last === null ? 0 : Math.min(Number(last) + 1, maxTransfers),
        status: status ?? null,
        limit: limit + 1
      })
      if (rows === null) throw bulkNotFound()
      return page(rows, limit, (row) => row.index)
    }
  )
}

function cancelRoute(server: Server, context: Context, organizationId: number): void {
  server.post(
    '/transfers/bulk/:bulk_id/cancel',
    {
      schema: {
        tags: ['bulks'],
        summary: 'Cancel what is not sent yet',
        description:
          'Each transfer is either cancelled or sent, never both; what was sent stays true. The answer says what this call cancelled and what the whole is now. Repeating it is harmless.',
        params: bulkId,
        response: { 200: schemas.cancellation, ...problems(404, 409, 503) }
      }
    },
    async (request) => {
      const cancelled = await cancelBulk(context, organizationId, requireBulkId(request.params.bulk_id))
      switch (cancelled.outcome) {
        case 'stopped':
          return { ...cancelled.status, cancelled_now: cancelled.cancelled_now }
        case 'not-found':
          throw bulkNotFound()
        case 'not-cancellable':
          throw new Problem({
            reason: 'not-cancellable',
            details: `The bulk is ${cancelled.status.status}: every transfer has ended.`
          })
      }
    }
  )
}

function retryRoute(server: Server, context: Context, organizationId: number): void {
  server.post(
    '/transfers/bulk/:bulk_id/retry-failed',
    {
      schema: {
        tags: ['bulks'],
        summary: 'Send the failed transfers again, as a bulk of their own',
        description:
          'The new bulk has exactly those transfers that are FAILED now and were not retried before, and is linked to this one. Its request_id makes the call idempotent, like any submission.',
        params: bulkId,
        body: z.strictObject({ request_id: z.string().max(100).describe('Canonical UUID of the new bulk.') }),
        response: { 201: schemas.acceptance, ...problems(400, 404, 409, 413, 415, 422, 503) }
      }
    },
    async (request, reply) => {
      const bulk_id = requireBulkId(request.params.bulk_id)
      const submission = await retryFailed(context, organizationId, { ...request.body, bulk_id })
      if (submission === null) throw bulkNotFound()
      if (submission.outcome === 'refused') throw new Problem(submission.problem)
      const { acceptance, outcome } = submission
      if (outcome === 'replayed') reply.header('idempotent-replayed', 'true')
      return reply.code(201).header('location', `/transfers/bulk/${acceptance.bulk_id}`).send(acceptance)
    }
  )
}

function notModified(reply: FastifyReply): FastifyReply {
  return reply
    .code(304)
    .serializer(() => '')
    .send()
}

/** A bulk id that cannot be one is not found, like any other that does not exist. */
function requireBulkId(id: string): string {
  if (!z.guid().safeParse(id).success) throw bulkNotFound()
  return id
}

function bulkNotFound(): Problem {
  return new Problem({
    reason: 'not-found',
    details: 'There is no bulk with this bulk_id. It is the request_id with which the bulk was submitted.'
  })
}
