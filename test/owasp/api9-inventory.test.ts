import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { twoOrganizations } from './support.ts'

const { ask, server } = await twoOrganizations()

describe('API9:2023 Improper Inventory Management', () => {
  it('holds: every route that answers is in the published document, but the documentation itself', async () => {
    const document = (await ask('/openapi.json')).body as { paths: Record<string, Record<string, unknown>> }
    const known = new Set(
      Object.entries(document.paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, 'x')}`)
      )
    )
    const paths = new Set([...known].map((route) => route.split(' ')[1] ?? ''))
    for (const path of paths)
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const)
        assert.equal(
          server.hasRoute({ method, url: asPattern(document, path) }),
          known.has(`${method} ${path}`),
          `${method} ${path}`
        )
  })

  it('holds: routes for trying out exist only where they were asked for', async () => {
    for (const path of [
      '/internal/jobs/transfer',
      '/internal/jobs/bulk',
      '/debug',
      '/admin',
      '/v1/accounts',
      '/.env'
    ])
      assert.equal((await ask(path)).status, 404, path)
  })
})

function asPattern({ paths }: { paths: Record<string, unknown> }, path: string): string {
  const found = Object.keys(paths).find((known) => known.replaceAll(/\{\w+\}/g, 'x') === path) ?? path
  return found.replaceAll(/\{(\w+)\}/g, ':$1')
}
