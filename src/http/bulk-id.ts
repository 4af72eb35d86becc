import { z } from 'zod'
import { Problem } from '../domain/problem.ts'

/** The parameter of every path that begins with a bulk. */
export const bulkId = z.object({ bulk_id: z.string().describe('The request_id of the bulk.') })

/** A bulk id that cannot be one is not found, like any other that does not exist. */
export function requireBulkId(id: string): string {
  if (!z.guid().safeParse(id).success) throw bulkNotFound()
  return id
}

/** The refusal for a bulk that the organization does not have. */
export function bulkNotFound(): Problem {
  return new Problem({
    reason: 'not-found',
    details: 'There is no bulk with this bulk_id. It is the request_id with which the bulk was submitted.'
  })
}
