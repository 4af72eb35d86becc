import assert from 'node:assert/strict'
import { after } from 'node:test'
import type { Tokens } from '../../src/access/caller.ts'
import { ensureDemoOrganization } from '../../src/organizations/demo-organization.ts'
import type { Reason } from '../../src/domain/problem.ts'
import type { Server } from '../../src/http/server-type.ts'
import { buildServer } from '../../src/http/server.ts'
import type { TestContext } from './context.ts'

export interface Answer {
  status: number
  headers: Headers
  // What the server says is what a test is about; each test looks at the part that it means.
  body: any
}

/** The real API on a real port, acting for an organization; stopped when the test file is done. */
export async function listen(
  context: TestContext,
  options: { organizationId?: number; manual?: boolean; demo?: boolean; tokens?: Tokens | null } = {}
) {
  const organizationId = options.organizationId ?? (await ensureDemoOrganization(context.db))
  const server = await buildServer(context, {
    demoOrganizationId: options.demo === false ? null : organizationId,
    tokens: options.tokens ?? null,
    manual: options.manual ?? false
  })
  const undeclared = findUndeclared(server)
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  after(async () => {
    await server.close()
    assert.deepEqual(undeclared, [], 'refusals for reasons that their routes do not declare')
  })
  const ask = async (path: string, init: RequestInit = {}): Promise<Answer> => {
    const response = await fetch(url + path, init)
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? null : parse(text) }
  }
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    ask(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body)
    })
  return { url, server, organizationId, ask, post }
}

/** Collects the refusals that a route gave and does not declare, so that the documentation lists whatever may come. */
function findUndeclared(server: Server): string[] {
  const undeclared: string[] = []
  server.addHook('onSend', (request, reply, payload, done) => {
    const { refuses, scope } = request.routeOptions.config
    if (refuses !== undefined && /^application\/problem/.test(String(reply.getHeader('content-type')))) {
      const { reason } = (JSON.parse(String(payload)) as { error: { reason: Reason } }).error
      const ofBody = request.routeOptions.schema?.body === undefined && ofUnaskedBodies.includes(reason)
      if (!refuses.includes(reason) && !ofBody && !ofHttp.includes(reason) && scope !== 'public')
        undeclared.push(`${request.method} ${request.routeOptions.url}: ${reason}`)
    }
    done()
  })
  return undeclared
}

/** What any call can be refused for before it comes to a route's own work. */
const ofHttp: Reason[] = ['malformed-request', 'internal-error']
/** What a call with a body is refused for where none is asked for. */
const ofUnaskedBodies: Reason[] = [
  'malformed-json',
  'payload-too-large',
  'unsupported-media-type',
  'invalid-request'
]

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
