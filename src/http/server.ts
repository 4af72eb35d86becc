import helmet from '@fastify/helmet'
import Fastify, { LogController } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Context } from '../context.ts'
import { documentApi } from './documentation.ts'
import { answerError, answerProblem } from './problem-answer.ts'
import { accountRoutes } from './routes/accounts.ts'
import { bulkRoutes } from './routes/bulks.ts'
import { healthRoutes } from './routes/health.ts'
import { manualRoutes } from './routes/manual.ts'
import { transferRoutes } from './routes/transfers.ts'
import type { Server } from './server-type.ts'
import { traceIdOf, traceparent } from './trace.ts'

export interface ServerOptions {
  /** The organization that calls without credentials act for: demo mode, the only mode so far. */
  demoOrganizationId: number
  /** Workers paused; the routes that execute one transfer at a time exist. */
  manual: boolean
}

/** The API, complete but not listening: hooks, refusals and routes, in one readable list. */
export async function buildServer(context: Context, options: ServerOptions): Promise<Server> {
  const server = Fastify({
    loggerInstance: context.log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'trace_id' }),
    bodyLimit: context.settings.BODY_LIMIT_BYTES,
    requestTimeout: 30_000,
    keepAliveTimeout: 65_000,
    genReqId: traceIdOf,
    clientErrorHandler: answerClientError,
    frameworkErrors: answerError,
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true }
  }).withTypeProvider<ZodTypeProvider>()

  server.setValidatorCompiler(validatorCompiler)
  server.setSerializerCompiler(serializerCompiler)
  server.removeContentTypeParser('text/plain')
  server.setErrorHandler(answerError)
  server.setNotFoundHandler((request, reply) =>
    answerProblem(request, reply, {
      reason: 'not-found',
      details: `There is no ${request.method} ${request.url.split('?')[0] ?? ''} here; GET /docs lists what there is.`
    })
  )
  server.addHook('onRequest', (request, reply, done) => {
    reply.header('traceparent', traceparent(request.id))
    done()
  })
  server.addHook('onResponse', (request, reply, done) => {
    request.log.info(
      {
        method: request.method,
        route: request.routeOptions.url ?? 'unknown',
        status: reply.statusCode,
        duration_ms: Math.round(reply.elapsedTime)
      },
      'request'
    )
    done()
  })

  await server.register(helmet, { hsts: false })
  await documentApi(server)
  bulkRoutes(server, context, options.demoOrganizationId)
  transferRoutes(server, context, options.demoOrganizationId)
  accountRoutes(server, context, options.demoOrganizationId)
  healthRoutes(server, context)
  if (options.manual) manualRoutes(server, context, options.demoOrganizationId)
  return server
}

/** What cannot be read as HTTP at all still gets the one error body. */
function answerClientError(error: { code: string }, socket: import('node:net').Socket): void {
  if (!socket.writable || socket.bytesWritten > 0) return void socket.destroy()
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW'
  const reason = tooLarge ? 'headers-too-large' : 'malformed-json'
  const [line, status] = tooLarge ? ['431 Request Header Fields Too Large', 431] : ['400 Bad Request', 400]
  const details = tooLarge ? 'The request headers are too large.' : 'This is not a valid HTTP request.'
  const body = JSON.stringify({
    type: `/problems/${reason}`,
    title: details,
    status,
    detail: details,
    instance: '',
    trace_id: traceIdOf({ headers: {} }),
    bulk_id: null,
    message: details,
    error: { reason, details },
    errors: [],
    errors_total: 0,
    errors_truncated: false
  })
  socket.end(
    `HTTP/1.1 ${line}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  )
}
