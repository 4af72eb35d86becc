import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import type { Server } from './server.ts'

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
        { name: 'health', description: 'For whoever runs it.' }
      ]
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject
  })
  server.get('/openapi.json', { schema: { hide: true } }, () => server.swagger())
  await server.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    uiConfig: { docExpansion: 'list', defaultModelsExpandDepth: 0 }
  })
}
