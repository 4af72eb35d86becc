import helmet from '@fastify/helmet'
import Fastify, { LogController } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Context } from '../context.ts'
import { answerClientError } from './client-error.ts'
import { documentApi } from './documentation.ts'
import { answerError, answerProblem } from './problem-answer.ts'
import { accountRoutes } from './routes/accounts.ts'
import { bankNoticeRoutes } from './routes/bank-notices.ts'
import { bulkRoutes } from './routes/bulks.ts'
import { healthRoutes } from './routes/health.ts'
import { incidentRoutes } from './routes/incidents.ts'
import { manualRoutes } from './routes/manual.ts'
import { metricsRoute } from './routes/metrics.ts'
import { transferRoutes } from './routes/transfers.ts'
import { parseJsonStrictly } from './json-body.ts'
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
    // How often Node looks for requests that take too long; its own default lets them live twice as long.
    http: { connectionsCheckingInterval: 5_000 },
    keepAliveTimeout: 65_000,
    genReqId: traceIdOf,
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply),
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 500 }
  }).withTypeProvider<ZodTypeProvider>()

  server.setValidatorCompiler(validatorCompiler)
  server.setSerializerCompiler(serializerCompiler)
  parseJsonStrictly(server)
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
  incidentRoutes(server, context, options.demoOrganizationId)
  await bankNoticeRoutes(server, context)
  healthRoutes(server, context)
  metricsRoute(server, context)
  if (options.manual) manualRoutes(server, context, options.demoOrganizationId)
  return server
}
