import type { Context } from '../context.ts'
import { buildServer } from './server.ts'

/** The OpenAPI document of the API as the code declares it; nothing is connected to. */
export async function describeApi(context: Context): Promise<unknown> {
  const server = await buildServer(context, { demoOrganizationId: null, tokens: null, manual: false })
  await server.ready()
  const document: unknown = server.swagger()
  await server.close()
  return document
}
