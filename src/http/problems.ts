import { problemSchema } from './problem-answer.ts'

/** Response schemas of refusals: the one error body under each status that a route may refuse with. */
export function problems<const S extends number>(...statuses: S[]): Record<S, typeof problemSchema> {
  return Object.fromEntries(statuses.map((status) => [status, problemSchema])) as Record<
    S,
    typeof problemSchema
  >
}
