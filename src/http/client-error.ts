import type { Socket } from 'node:net'
import type { ProblemContent } from '../domain/problem.ts'
import { describeProblem } from './problem-answer.ts'
import { traceIdOf } from './trace.ts'

/**
 * What cannot be read as HTTP at all still gets the one error body, and then the end of its connection. A connection on
 * which nothing came is closed without a word: clients open some in advance, and one that sends its first request just
 * then would take what is said of the silence for the answer to it.
 */
export function answerClientError(error: { code: string }, socket: Socket): void {
  if (!socket.writable || socket.bytesRead === 0 || socket.bytesWritten > 0) {
    socket.destroy()
    return
  }
  answerOnSocket(socket, describe(error.code))
}

/** Answers with the one error body where there is only a connection, and ends it. */
export function answerOnSocket(socket: Socket, content: ProblemContent): void {
  const body = describeProblem(content, {
    instance: '',
    trace_id: traceIdOf({ headers: {} }),
    bulk_id: null
  })
  const text = JSON.stringify(body)
  const head = [
    `HTTP/1.1 ${body.status} ${body.title}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close'
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`)
}

function describe(code: string): ProblemContent {
  if (code === 'HPE_HEADER_OVERFLOW')
    return { reason: 'headers-too-large', details: 'Send fewer or shorter headers.' }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return { reason: 'request-timeout', details: 'The request did not arrive whole in time; send it again.' }
  return { reason: 'malformed-request', details: 'This is not a valid HTTP request.' }
}
