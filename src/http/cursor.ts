import { z } from 'zod'
import { Problem } from '../domain/problem.ts'

export const pageQuery = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(1000)
    .default(100)
    .describe('Most entries in the answer, 1..1000.'),
  cursor: z.string().max(200).optional().describe('next_cursor of the page before.')
}

/** An opaque cursor for a whole number. */
function encodeCursor(place: bigint | number): string {
  return Buffer.from(`v1:${place}`).toString('base64url')
}

/** The number in a cursor, or null for no cursor; a text that is no cursor of ours is the client's error. */
export function decodeCursor(cursor: string | undefined): bigint | null {
  if (cursor === undefined) return null
  const match = /^v1:(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString())
  if (match?.[1] === undefined || encodeCursor(BigInt(match[1])) !== cursor)
    throw new Problem({
      reason: 'invalid-parameter',
      details: 'cursor: this is not a cursor; use next_cursor of a page, or leave it out.'
    })
  return BigInt(match[1])
}

/** A page of a list that was read with one entry more than asked for, to know whether there are more. */
export function page<T>(rows: T[], limit: number, place: (row: T) => bigint | number) {
  const data = rows.slice(0, limit)
  const last = data.at(-1)
  const has_more = rows.length > limit
  return { data, has_more, next_cursor: has_more && last !== undefined ? encodeCursor(place(last)) : null }
}
