import { STATUS_CODES } from 'node:http'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { Problem, reasons, type Reason } from '../domain/problem.ts'
import { exampleAnswer } from './example-answers.ts'
import { describeProblem } from './problem-answer.ts'
import type { Server } from './server-type.ts'

const tags = [
  { name: 'bulks', description: 'Submit a bulk and follow it.' },
  { name: 'transfers', description: 'What became of each transfer.' },
  { name: 'accounts', description: 'Balances and statements.' },
  { name: 'events', description: 'Everything that happened, in order.' },
  { name: 'webhooks', description: 'Be told of what happens.' },
  { name: 'incidents', description: 'What somebody has to look into.' },
  { name: 'audit', description: 'Who did what, in an order that can be proven.' },
  { name: 'keys', description: "Your organization's API keys." },
  {
    name: 'operator',
    description: 'Organizations, accounts and holds, for whoever runs the installation.'
  },
  { name: 'bank', description: 'For the bank, which calls by itself.' },
  { name: 'health', description: 'For whoever runs it.' }
]

/** Serves the OpenAPI document at /openapi.json and, from the same, the pages at /docs; nothing is loaded from elsewhere. */
export async function documentApi(server: Server): Promise<void> {
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Bulkhead',
        version: '0.1.0',
        description:
          'Bulk credit transfers: submit up to 1000 in one request, follow each of them, and prove where every cent went. ' +
          'Amounts are decimal strings, times are RFC 3339 in UTC, and every refusal has the one error body, `Problem`.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' }
      },
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description:
              'An API key, `Authorization: Bearer bh_test_...`. Demo mode answers without one, as the demo organization.'
          }
        }
      },
      tags
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => tidy(jsonSchemaTransformObject(document))
  })
  server.get('/problems/:reason', { schema: { hide: true }, config: { scope: 'public' } }, (request) => {
    const { reason } = request.params as { reason: string }
    if (!Object.hasOwn(reasons, reason))
      throw new Problem({ reason: 'not-found', details: 'There is no problem with this reason.' })
    return { reason, ...reasons[reason as Reason] }
  })
  server.get('/openapi.json', { schema: { hide: true }, config: { scope: 'public' } }, () => server.swagger())
  await server.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    transformStaticCSP: (policy) =>
      policy.replaceAll(/ https:| validator\.swagger\.io|upgrade-insecure-requests;/g, ''),
    // Only our own document is shown, so the bar that asks for another is left out.
    theme: {
      title: 'Bulkhead API',
      css: [{ filename: 'bulkhead.css', content: '.swagger-ui .topbar { display: none }' }]
    },
    uiConfig: { docExpansion: 'list', defaultModelsExpandDepth: 0 }
  })
}

/**
 * What the schema library writes is right but clumsy: it names each schema twice, as input and as output, which are
 * the same here. Each answer gets its example, each refusal one for every reason that its description names.
 */
function tidy<T extends object>(document: T): T {
  const text = JSON.stringify(document).replaceAll(/(#\/components\/schemas\/\w+)Input"/g, '$1"')
  const tidied = JSON.parse(text) as T & Document
  const { schemas } = tidied.components
  tidied.components.schemas = Object.fromEntries(
    Object.entries(schemas).filter(([name]) => !name.endsWith('Input'))
  )
  tidied.components.examples = Object.fromEntries(
    reasonNames.map((reason) => [reason, { summary: reasons[reason].title, value: exampleProblem(reason) }])
  )
  for (const operation of Object.values(tidied.paths).flatMap((path) => Object.values(path)))
    for (const [status, response] of Object.entries(operation.responses)) {
      if (response.description === 'Default Response') response.description = STATUS_CODES[status] ?? ''
      for (const [type, media] of Object.entries(response.content ?? {}))
        if (type === 'application/problem+json') media.examples = examplesOf(response.description)
        else media.example = exampleAnswer(operation.operationId, { status, type })
    }
  return tidied
}

const reasonNames = Object.keys(reasons) as Reason[]

function exampleProblem(reason: Reason) {
  const { mend: details } = reasons[reason]
  const trace_id = '4bf92f3577b34da6a3ce929d0e0e4736'
  return describeProblem({ reason, details }, { instance: '/', trace_id, bulk_id: null })
}

function examplesOf(description: string): Record<string, { $ref: string }> {
  return Object.fromEntries(
    description.split(', ').map((reason) => [reason, { $ref: `#/components/examples/${reason}` }])
  )
}

interface Document {
  components: { schemas: Record<string, unknown>; examples?: Record<string, unknown> }
  paths: Record<string, Record<string, Operation>>
}
interface Operation {
  operationId: string
  responses: Record<
    string,
    { description: string; content?: Record<string, { example?: unknown; examples?: object }> }
  >
}
