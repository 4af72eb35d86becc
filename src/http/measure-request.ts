import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Context } from '../context.ts'
import type { Submission } from '../transfers/submit-bulk.ts'

/** Times a request under its route, not its address: every bulk has an address of its own. */
export function measureRequest(
  { measurements }: Context,
  request: FastifyRequest,
  reply: FastifyReply
): void {
  const route = request.routeOptions.url
  const method = route === undefined ? 'any' : request.method
  const labels = { method, route: route ?? 'unknown', status: reply.statusCode }
  measurements.httpRequests.observe(labels, reply.elapsedTime / 1000)
}

/** Counts a submission by what became of it. */
export function measureSubmission({ measurements }: Context, submission: Submission): void {
  const result = submission.outcome === 'refused' ? submission.problem.reason : submission.outcome
  measurements.bulkRequests.inc({ result })
}
