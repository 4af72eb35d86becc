import helmet from '@fastify/helmet'
import Fastify, { LogController } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { createLimits } from '../access/limits.ts'
import type { Context } from '../context.ts'
import { splitList } from '../settings.ts'
import { guardRoutes, type AccessOptions } from './acting.ts'
import { answerClientError } from './client-error.ts'
import { allowOrigins } from './cors.ts'
import { documentApi } from './documentation.ts'
import { limitCallers } from './limits.ts'
import { answerError, answerProblem } from './problem-answer.ts'
import { accountRoutes } from './routes/accounts.ts'
import { adminRoutes } from './routes/admin.ts'
import { auditRoutes } from './routes/audit.ts'
import { bankNoticeRoutes } from './routes/bank-notices.ts'
import { bulkEventsRoute } from './routes/bulk-events.ts'
import { bulkListRoute } from './routes/bulk-list.ts'
import { bulkReportRoute } from './routes/bulk-report.ts'
import { bulkRoutes } from './routes/bulks.ts'
import { eventRoutes } from './routes/events.ts'
import { healthRoutes } from './routes/health.ts'
import { holdRoutes } from './routes/holds.ts'
import { incidentRoutes } from './routes/incidents.ts'
import { keyRoutes } from './routes/keys.ts'
import { manualRoutes } from './routes/manual.ts'
import { metricsRoute } from './routes/metrics.ts'
import { organizationPolicyRoutes } from './routes/organization-policies.ts'
import { transferRoutes } from './routes/transfers.ts'
import { webhookDeliveryRoutes } from './routes/webhook-deliveries.ts'
import { webhookEndpointRoutes } from './routes/webhook-endpoints.ts'
import { parseJsonStrictly } from './json-body.ts'
import type { Server } from './server-type.ts'
import { traceRequests } from './trace-requests.ts'
import { traceIdOf } from './trace.ts'
import { createHttpServer, refuseOddRequests } from './transport.ts'

export interface ServerOptions extends AccessOptions {
  /** Workers paused; the routes that execute one transfer at a time exist. */
  manual: boolean
}

/** The API, complete but not listening: hooks, refusals and routes, in one readable list. */
export async function buildServer(context: Context, options: ServerOptions): Promise<Server> {
  const { TLS_CERT, TRUSTED_PROXY, CORS_ORIGINS } = context.settings
  const server = Fastify({
    loggerInstance: context.log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'trace_id' }),
    bodyLimit: context.settings.BODY_LIMIT_BYTES,
    serverFactory: (handler) => createHttpServer(handler, context.settings),
    trustProxy: TRUSTED_PROXY === undefined ? false : splitList(TRUSTED_PROXY),
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
  traceRequests(server, context)
  refuseOddRequests(server)
  allowOrigins(server, CORS_ORIGINS)
  const limits = createLimits(context)
  guardRoutes(server, context, { ...options, limits })
  limitCallers(server, context, limits)
  await server.register(helmet, {
    strictTransportSecurity: TLS_CERT !== undefined || TRUSTED_PROXY !== undefined,
    // Answers are data: nothing in them is to be run or shown, wherever a browser is led to open one.
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] }
    }
  })
  await documentApi(server)
  bulkRoutes(server)
  bulkListRoute(server)
  bulkReportRoute(server)
  bulkEventsRoute(server, context)
  transferRoutes(server)
  accountRoutes(server)
  incidentRoutes(server)
  eventRoutes(server)
  auditRoutes(server, context)
  webhookEndpointRoutes(server)
  webhookDeliveryRoutes(server)
  keyRoutes(server)
  adminRoutes(server, context)
  organizationPolicyRoutes(server, context)
  holdRoutes(server, context)
  await bankNoticeRoutes(server, context)
  healthRoutes(server, context)
  metricsRoute(server, context)
  if (options.manual) manualRoutes(server, context)
  return server
}
