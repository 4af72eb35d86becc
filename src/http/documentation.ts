import { STATUS_CODES } from 'node:http'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { Problem, reasons, type Reason } from '../domain/problem.ts'
import type { Server } from './server-type.ts'

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
      tags: [
        { name: 'bulks', description: 'Submit a bulk and follow it.' },
        { name: 'transfers', description: 'What became of each transfer.' },
        { name: 'accounts', description: 'Balances and statements.' },
        { name: 'incidents', description: 'What somebody has to look into.' },
        { name: 'bank', description: 'For the bank, which calls by itself.' },
        { name: 'health', description: 'For whoever runs it.' }
      ]
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => tidy(jsonSchemaTransformObject(document))
  })
  server.get('/problems/:reason', { schema: { hide: true } }, (request) => {
    const { reason } = request.params as { reason: string }
    if (!Object.hasOwn(reasons, reason))
      throw new Problem({ reason: 'not-found', details: 'There is no problem with this reason.' })
    return { reason, ...reasons[reason as Reason] }
  })
  server.get('/openapi.json', { schema: { hide: true } }, () => server.swagger())
  await server.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    // Only our own document is shown, so the bar that asks for another is left out.
    theme: {
      title: 'Bulkhead API',
      css: [{ filename: 'bulkhead.css', content: '.topbar { display: none }' }]
    },
    uiConfig: { docExpansion: 'list', defaultModelsExpandDepth: 0 }
  })
}

/**
 * What the schema library writes is right but clumsy: it names each schema twice, as input and as output, which are
 * the same here, and gives refusals the media type of other answers.
 */
function tidy<T extends object>(document: T): T {
  const text = JSON.stringify(document).replaceAll(/(#\/components\/schemas\/\w+)Input"/g, '$1"')
  const tidied = JSON.parse(text) as T & Document
  const { schemas } = tidied.components
  tidied.components.schemas = Object.fromEntries(
    Object.entries(schemas).filter(([name]) => !name.endsWith('Input'))
  )
  for (const operation of Object.values(tidied.paths).flatMap((path) => Object.values(path)))
    for (const [status, response] of Object.entries(operation.responses)) {
      if (response.description === 'Default Response') response.description = describeStatus(status)
      const json = response.content?.['application/json']
      if (json?.schema.$ref === '#/components/schemas/Problem')
        response.content = { 'application/problem+json': json }
    }
  return tidied
}

/** The reasons that a status can have, or its standard name. */
function describeStatus(status: string): string {
  const names = Object.entries(reasons).flatMap(([reason, entry]) =>
    String(entry.status) === status ? [reason] : []
  )
  return names.length > 0 ? names.join(', ') : (STATUS_CODES[status] ?? '')
}

interface Document {
  components: { schemas: Record<string, unknown> }
  paths: Record<
    string,
    Record<
      string,
      {
        responses: Record<
          string,
          { description: string; content?: Record<string, { schema: { $ref?: string } }> }
        >
      }
    >
  >
}
