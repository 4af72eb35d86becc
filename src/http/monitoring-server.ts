import Fastify, { LogController } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Context } from '../context.ts'
import { answerError, answerProblem } from './problem-answer.ts'
import { healthRoutes } from './routes/health.ts'
import { metricsRoute } from './routes/metrics.ts'
import type { Server } from './server-type.ts'
import { traceIdOf } from './trace.ts'

/** Health and measurements alone, for a worker, which has no API, or for an API whose port is everybody's. */
export function buildMonitoringServer(context: Context): Server {
  const server = Fastify({
    loggerInstance: context.log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'trace_id' }),
    requestTimeout: 10_000,
    genReqId: traceIdOf
  }).withTypeProvider<ZodTypeProvider>()
  server.setValidatorCompiler(validatorCompiler)
  server.setSerializerCompiler(serializerCompiler)
  server.setErrorHandler(answerError)
  server.setNotFoundHandler((request, reply) =>
    answerProblem(request, reply, {
      reason: 'not-found',
      details: 'Here are /metrics, /health/live and /health/ready.'
    })
  )
  healthRoutes(server, context)
  metricsRoute(server, context)
  return server
}
