import type { FastifyReply } from 'fastify'
import { validatorCompiler } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { transferStatuses } from '../../domain/status.ts'
import { Problem, type Reason } from '../../domain/problem.ts'
import { bulkRequest, maxTransfers } from '../../transfers/bulk-request.ts'
import { normaliseIban } from '../../domain/account-number.ts'
import { cancelBulk } from '../../execution/cancel-bulk.ts'
import { releaseBulk } from '../../execution/release-bulk.ts'
import { readBulk, readBulkStatus } from '../../transfers/read-bulk.ts'
import { listTransfers } from '../../transfers/read-transfers.ts'
import { retryFailed } from '../../transfers/retry-failed.ts'
import { previewBulk, submitBulk } from '../../transfers/submit-bulk.ts'
import { faultsByPrecedence } from '../../transfers/validate-bulk.ts'
import { actingFor } from '../acting.ts'
import { bulkId, bulkNotFound, requireBulkId } from '../bulk-id.ts'
import { decodeCursor, page, pageQuery } from '../cursor.ts'
import { measureSubmission } from '../measure-request.ts'
import * as schemas from '../schemas.ts'
import type { Server } from '../server-type.ts'

/** What can be looked for: PostgreSQL takes no U+0000, and no transfer has any control character. */
const searchText = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => !/\p{Cc}/u.test(value), 'contains a control character')

const retryRequest = z
  .strictObject({ request_id: z.string().max(100).describe('Canonical UUID of the new bulk.') })
  .meta({ examples: [{ request_id: '0b6f3a0e-6d8a-4c0b-9a53-3a8e5a4f7c11' }] })

/** Why a bulk is refused whatever made it. */
const ofSubmissions = [
  'invalid-request-id',
  'already-processed',
  'account-not-active',
  'limit-exceeded',
  'insufficient-account-balance'
] satisfies Reason[]
/** Why what was sent in is refused. */
const ofContents: Reason[] = ['unknown-account', 'too-many-transfers', 'empty-bulk', ...faultsByPrecedence]

/** Submit a bulk, and follow it. */
export function bulkRoutes(server: Server): void {
  submitRoute(server)
  readRoutes(server)
  transferListRoute(server)
  cancelRoute(server)
  releaseRoute(server)
  retryRoute(server)
}

function submitRoute(server: Server): void {
  server.post(
    '/transfers/bulk',
    {
      config: { scope: 'submit', refuses: [...ofSubmissions, ...ofContents] },
      schema: {
        operationId: 'submit_bulk',
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
          201: schemas.acceptance
        }
      },
      // The body is read by submitBulk, which reports all errors of a step at once and in the documented order.
      validatorCompiler: (part) =>
        part.httpPart === 'body' ? (value: unknown) => ({ value }) : validatorCompiler(part as never)
    },
    async (request, reply) => {
      const { context, organizationId } = actingFor(request)
      const dryRun = request.query.dry_run === 'true'
      const submission = await (dryRun ? previewBulk : submitBulk)(context, organizationId, request.body)
      if (!dryRun) measureSubmission(context, submission)
      if (submission.outcome === 'refused') throw new Problem(submission.problem)
      const { acceptance, outcome } = submission
      if (outcome === 'replayed') reply.header('idempotent-replayed', 'true')
      if (dryRun) return reply.code(200).send(acceptance)
      return reply.code(201).header('location', `/transfers/bulk/${acceptance.bulk_id}`).send(acceptance)
    }
  )
}

function readRoutes(server: Server): void {
  server.get(
    '/transfers/bulk/:bulk_id/status',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'read_bulk_status',
        tags: ['bulks'],
        summary: 'The progress of a bulk',
        description:
          'Every count and amount is of one instant, and they add up to the total. Poll with `If-None-Match`, at the pace of `Retry-After`.',
        params: bulkId,
        response: { 200: schemas.bulkStatus, 304: z.null().describe('Unchanged') }
      }
    },
    async (request, reply) => {
      const { context, organizationId } = actingFor(request)
      const status = await readBulkStatus(context.db, organizationId, requireBulkId(request.params.bulk_id))
      if (status === null) throw bulkNotFound()
      // That somebody should look comes with time, or from an incident, and changes no version.
      const etag = `"${status.version}${status.needs_attention ? '-attention' : ''}${status.held ? '-held' : ''}"`
      reply.header('etag', etag).header('cache-control', 'private, no-cache')
      if (!status.final) reply.header('retry-after', '1')
      return request.headers['if-none-match'] === etag ? notModified(reply) : reply.send(status)
    }
  )
  server.get(
    '/transfers/bulk/:bulk_id',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'read_bulk',
        tags: ['bulks'],
        summary: 'A bulk',
        params: bulkId,
        response: { 200: schemas.bulk }
      }
    },
    async (request) => {
      const { context, organizationId } = actingFor(request)
      const bulk = await readBulk(context.db, organizationId, requireBulkId(request.params.bulk_id))
      if (bulk === null) throw bulkNotFound()
      return bulk
    }
  )
}

function transferListRoute(server: Server): void {
  server.get(
    '/transfers/bulk/:bulk_id/transfers',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'list_bulk_transfers',
        tags: ['transfers'],
        summary: 'The transfers of a bulk, in the order in which they were sent in',
        params: bulkId,
        querystring: z.strictObject({
          status: z.enum(transferStatuses).optional().describe('Only transfers in this status.'),
          client_transfer_id: searchText(64).optional().describe('Only the one that you gave this id.'),
          counterparty_iban: searchText(80).optional().describe('Only transfers to this IBAN.'),
          ...pageQuery
        }),
        response: { 200: schemas.listOf(schemas.transfer) }
      }
    },
    async (request) => {
      const { context, organizationId } = actingFor(request)
      const { status, client_transfer_id, counterparty_iban, limit, cursor } = request.query
      const last = decodeCursor(cursor)
      const rows = await listTransfers(context.db, {
        organization_id: organizationId,
        bulk_id: requireBulkId(request.params.bulk_id),
        first_seq: last === null ? 0 : Math.min(Number(last) + 1, maxTransfers),
        status: status ?? null,
        client_transfer_id: client_transfer_id ?? null,
        counterparty_iban: counterparty_iban === undefined ? null : normaliseIban(counterparty_iban),
        limit: limit + 1
      })
      if (rows === null) throw bulkNotFound()
      return page(rows, limit, (row) => row.index)
    }
  )
}

function cancelRoute(server: Server): void {
  server.post(
    '/transfers/bulk/:bulk_id/cancel',
    {
      config: { scope: 'cancel', refuses: ['not-cancellable'] },
      schema: {
        operationId: 'cancel_bulk',
        tags: ['bulks'],
        summary: 'Cancel what is not sent yet',
        description:
          'Each transfer is either cancelled or paid, never both; what was sent stays true. The answer says what this call cancelled and what the whole is now. What was UNKNOWN is asked about and not sent again: if the bank never received it, it is cancelled later. Repeating it is harmless.',
        params: bulkId,
        response: { 200: schemas.cancellation }
      }
    },
    async (request) => {
      const { context, organizationId } = actingFor(request)
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

function releaseRoute(server: Server): void {
  server.post(
    '/transfers/bulk/:bulk_id/release',
    {
      config: { scope: 'submit', refuses: ['conflict'] },
      schema: {
        operationId: 'release_bulk',
        tags: ['bulks'],
        summary: 'Confirm the payees of a bulk that is held for them',
        description:
          'It goes on at once, and who confirmed it is recorded. What an operator holds stays held. Repeating it is harmless.',
        params: bulkId,
        response: { 200: schemas.release }
      }
    },
    async (request) => {
      const { context, organizationId } = actingFor(request)
      const released = await releaseBulk(context, organizationId, requireBulkId(request.params.bulk_id))
      switch (released.outcome) {
        case 'released':
          return { ...released.status, released_now: released.released_now }
        case 'not-found':
          throw bulkNotFound()
        case 'not-held':
          throw new Problem({ reason: 'conflict', details: 'This bulk does not wait for its payees.' })
      }
    }
  )
}

function retryRoute(server: Server): void {
  server.post(
    '/transfers/bulk/:bulk_id/retry-failed',
    {
      config: { scope: 'submit', refuses: ['nothing-to-retry', ...ofSubmissions] },
      schema: {
        operationId: 'retry_failed_transfers',
        tags: ['bulks'],
        summary: 'Send the failed transfers again, as a bulk of their own',
        description:
          'The new bulk has exactly those transfers that are FAILED now and were not retried before, and is linked to this one. Its request_id makes the call idempotent, like any submission.',
        params: bulkId,
        body: retryRequest,
        response: { 201: schemas.acceptance }
      }
    },
    async (request, reply) => {
      const { context, organizationId } = actingFor(request)
      const bulk_id = requireBulkId(request.params.bulk_id)
      const submission = await retryFailed(context, organizationId, {
        ...request.body,
        bulk_id,
        admit: async (transfers) => request.spendTransfers?.(transfers)
      })
      if (submission === null) throw bulkNotFound()
      measureSubmission(context, submission)
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
