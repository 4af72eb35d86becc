import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { Problem, reasons, type ProblemContent, type Reason } from '../domain/problem.ts'
import { isUnavailable } from '../database/errors.ts'
import { traceparent } from '../telemetry/traceparent.ts'
import { findRequestId } from '../transfers/read-request.ts'

/** Most errors that one answer lists; 1000 transfers with four faults each fit. */
const maxErrors = 5000

/** One thing that is wrong, or that is to be looked at. */
export const errorItem = z
  .object({
    pointer: z.string().describe('JSON pointer into the body (RFC 6901).'),
    index: z.int().optional().describe('Which transfer, from 0.'),
    client_transfer_id: z.string().optional(),
    code: z.string(),
    detail: z.string().describe('What is wrong, and how to mend it.')
  })
  .meta({ id: 'ErrorItem' })

/** The one error body: a problem (RFC 9457) that is also the envelope of the original API. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    trace_id: z.string(),
    bulk_id: z.string().nullable().describe('The request_id that was sent, if one could be read.'),
    message: z.string(),
    error: z.object({ reason: z.enum(Object.keys(reasons) as [Reason, ...Reason[]]), details: z.string() }),
    errors: z.array(errorItem),
    errors_total: z.int(),
    errors_truncated: z.boolean()
  })
  .meta({ id: 'Problem' })

/** The one error body, about one request. */
export function describeProblem(
  content: ProblemContent,
  about: { instance: string; trace_id: string; bulk_id: string | null; message?: string }
): z.infer<typeof problemSchema> {
  const { status, title } = reasons[content.reason]
  const { reason, details, errors = [] } = content
  return {
    type: `/problems/${reason}`,
    title,
    status,
    detail: details,
    message: title,
    ...about,
    error: { reason, details },
    errors: errors.slice(0, maxErrors),
    errors_total: errors.length,
    errors_truncated: errors.length > maxErrors
  }
}

/** Answers with the one error body. */
export function answerProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  content: ProblemContent
): FastifyReply {
  const submits =
    /^\/transfers\/bulk(\/[^/]+\/retry-failed)?\/?(\?|$)/.test(request.url) && request.method === 'POST'
  const body = describeProblem(content, {
    instance: request.url.split('?')[0] ?? '',
    trace_id: request.id,
    bulk_id: findRequestId(request.body),
    ...(submits ? { message: 'Bulk transfer denied' } : {})
  })
  if (!reply.hasHeader('traceparent')) reply.header('traceparent', traceparent(request.id))
  return reply
    .code(body.status)
    .header('content-type', 'application/problem+json')
    .serializer((payload: unknown) => JSON.stringify(payload))
    .send(body)
}

/** Turns whatever was thrown into a problem. What is broken on our side is logged whole and told without detail. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error instanceof Problem) {
    reply.headers(error.headers)
    return answerProblem(request, reply, error.content)
  }
  const framework = describeFrameworkError(error, request.routeOptions.bodyLimit)
  if (framework) return answerProblem(request, reply, framework)
  if (isUnavailable(error)) {
    reply.header('retry-after', '2')
    return answerProblem(request, reply, {
      reason: 'unavailable',
      details:
        'The database cannot be reached, or too much of yours waits for it. Nothing is lost: send the same request again in a moment.'
    })
  }
  request.log.error({ err: error }, 'unexpected error')
  return answerProblem(request, reply, {
    reason: 'internal-error',
    details:
      'Something unexpected happened. The same request can be sent again safely; tell us the trace_id if it stays.'
  })
}

/** Fastify's own refusals by their code, in our words. */
function describeFrameworkError(error: unknown, bodyLimit: number | undefined): ProblemContent | null {
  if (!(error instanceof Error) || !('statusCode' in error)) return null
  const code = 'code' in error ? String(error.code) : ''
  switch (code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return {
        reason: 'unsupported-media-type',
        details: 'Send the body as JSON with content-type: application/json.'
      }
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return {
        reason: 'payload-too-large',
        details: `The body has more than ${bodyLimit} bytes, the most that this server takes; split the bulk.`
      }
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return { reason: 'malformed-json', details: 'The body is empty; send a JSON object.' }
    case 'FST_ERR_BAD_URL':
      return { reason: 'invalid-parameter', details: 'The address has an invalid percent-encoding.' }
    case 'FST_ERR_VALIDATION': {
      const inBody = 'validationContext' in error && error.validationContext === 'body'
      return { reason: inBody ? 'invalid-request' : 'invalid-parameter', details: describeParameters(error) }
    }
  }
  switch (error.statusCode) {
    case 400:
      return {
        reason: 'malformed-json',
        details: 'The body cannot be read as JSON in UTF-8; check its quotes, commas and brackets.'
      }
    case 403:
    case 404:
    case 414:
      return { reason: 'not-found', details: 'There is nothing at this address.' }
    case 413:
      return { reason: 'payload-too-large', details: 'The body is larger than this server takes.' }
    case 415:
      return { reason: 'unsupported-media-type', details: error.message }
    default:
      return null
  }
}

/** What is wrong with the parameters of an address: `limit: Too small: expected number to be >=1`. */
function describeParameters(error: Error): string {
  const { validation } = error as { validation?: { instancePath: string; message?: string }[] }
  const faults = (validation ?? []).map(
    ({ instancePath, message }) => `${instancePath.slice(1)}: ${message ?? ''}`
  )
  return faults.map((fault) => fault.replace(/^: /, '')).join('; ') || 'A parameter is not valid.'
}
