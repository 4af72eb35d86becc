import { after } from 'node:test'
import { ensureDemoOrganization } from '../../src/organizations/demo-organization.ts'
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
  options: { organizationId?: number; manual?: boolean } = {}
) {
  const organizationId = options.organizationId ?? (await ensureDemoOrganization(context.db))
  const server = await buildServer(context, {
    demoOrganizationId: organizationId,
    manual: options.manual ?? false
  })
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  after(() => server.close())
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

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
