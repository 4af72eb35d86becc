import type { RouteOptions } from 'fastify'
import { reasons, type Reason } from '../domain/problem.ts'
import { problemSchema } from './problem-answer.ts'

/**
 * Every reason for which a route may refuse. What follows from its shape need not be said by each: whoever calls may
 * lack a key or be too fast, and what a route takes can be wrong. A parameter that no route knows can be wrong, too.
 */
export function refusalsOf(route: RouteOptions): Reason[] {
  const { scope, refuses = [] } = route.config ?? {}
  const { params, body } = route.schema ?? {}
  if (scope === 'public') return inOrder([...refuses, 'invalid-parameter'])
  return inOrder([
    ...refuses,
    ...ofCalls,
    ...(params === undefined ? [] : (['not-found'] as const)),
    ...(body === undefined ? [] : ofBodies)
  ])
}

const ofCalls = ['invalid-parameter', 'unauthorized', 'forbidden', 'rate-limited', 'unavailable'] as const
const ofBodies = ['malformed-json', 'payload-too-large', 'unsupported-media-type', 'invalid-request'] as const

/** Each once, in the order of the table. */
function inOrder(given: readonly Reason[]): Reason[] {
  return reasonNames.filter((reason) => given.includes(reason))
}

const reasonNames = Object.keys(reasons) as Reason[]

/** Response schemas of refusals: the one error body under each of their statuses. */
export function describeRefusals(refusals: Reason[]): Record<number, object> {
  return Object.fromEntries(
    refusals.map((reason) => {
      const { status } = reasons[reason]
      const description = refusals.filter((other) => reasons[other].status === status).join(', ')
      return [status, { description, content: { 'application/problem+json': { schema: problemSchema } } }]
    })
  )
}
