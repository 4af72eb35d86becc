import type { FastifyRequest } from 'fastify'
import type { Context } from '../context.ts'
import { beginSpan, failSpan, traceparentOf, within, type Span } from '../telemetry/tracing.ts'
import { measureRequest } from './measure-request.ts'
import type { Server } from './server-type.ts'
import { callerOf } from './trace.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What traces the request, from its headers to the end of its answer. */
    span: Span | null
  }
}

/** Every answer names its trace; every request is a span and one line of the log, without what it was about. */
export function traceRequests(server: Server, context: Context): void {
  server.decorateRequest('span', null)
  server.addHook('onRequest', (request, reply, done) => {
    const span = beginRequestSpan(request)
    request.span = span
    reply.header('traceparent', traceparentOf(span, request.id))
    done()
  })
  // Not before the body has been read: its arrival belongs to the connection and knows nothing of the request.
  server.addHook('preValidation', (request, _, done) => {
    if (request.span === null) done()
    else within(request.span, done)
  })
  server.addHook('onResponse', (request, reply, done) => {
    measureRequest(context, request, reply)
    const status = reply.statusCode
    request.span?.setAttribute('http.response.status_code', status)
    if (request.span && status >= 500) failSpan(request.span, String(status))
    request.span?.end()
    request.log.info(
      {
        method: request.method,
        route: request.routeOptions.url ?? 'unknown',
        status,
        duration_ms: Math.round(reply.elapsedTime)
      },
      'request'
    )
    done()
  })
}

function beginRequestSpan(request: FastifyRequest): Span {
  const { url: route } = request.routeOptions
  const caller = callerOf(request)
  return beginSpan(route === undefined ? request.method : `${request.method} ${route}`, {
    trace_id: request.id,
    kind: 'SERVER',
    ...(caller === undefined ? {} : { caller }),
    attributes: {
      'http.request.method': request.method,
      'url.scheme': request.protocol,
      ...(route === undefined ? {} : { 'http.route': route })
    }
  })
}
