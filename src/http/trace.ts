import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** The trace id of a request: the caller's (W3C Trace Context, `traceparent`) if it sent a valid one, else a new one. */
export function traceIdOf(request: Pick<IncomingMessage, 'headers'>): string {
  const match = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(
    String(request.headers['traceparent'])
  )
  const given = match?.[1]
  return given !== undefined && !/^0+$/.test(given) ? given : randomBytes(16).toString('hex')
}

/** A `traceparent` of ours within a trace. */
export function traceparent(traceId: string): string {
  return `00-${traceId}-${randomBytes(8).toString('hex')}-01`
}
