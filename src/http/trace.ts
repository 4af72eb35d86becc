import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

type WithHeaders = Pick<IncomingMessage, 'headers'>

/** The trace id of a request: the caller's (W3C Trace Context, `traceparent`) if it sent a valid one, else a new one. */
export function traceIdOf(request: WithHeaders): string {
  return readTraceparent(request)?.trace_id ?? randomBytes(16).toString('hex')
}

/** The span from which a request was sent, if it came with a valid `traceparent`. */
export function callerOf(request: WithHeaders): { span_id: string; sampled: boolean } | undefined {
  return readTraceparent(request)
}

function readTraceparent({ headers }: WithHeaders) {
  const match = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(
    String(headers['traceparent'])
  )
  const [, trace_id = '', span_id = '', flags = ''] = match ?? []
  if (match === null || /^0+$/.test(trace_id) || /^0+$/.test(span_id)) return undefined
  return { trace_id, span_id, sampled: (parseInt(flags, 16) & 1) === 1 }
}
