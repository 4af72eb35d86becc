import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { aBulk } from '../support/builders.ts'
import { aKey, bearer } from '../support/keys.ts'
import { twoOrganizations } from './support.ts'

const { ask, post, server, database, mine } = await twoOrganizations()

describe('API5:2023 Broken Function Level Authorization', () => {
  it('holds: every route that is documented asks for a credential, but those for everybody', async () => {
    const document = server.swagger() as { paths: Record<string, Record<string, unknown>> }
    const open: string[] = []
    for (const [path, methods] of Object.entries(document.paths))
      for (const method of Object.keys(methods)) {
        const { status } = await ask(path.replaceAll(/\{\w+\}/g, 'x'), { method: method.toUpperCase() })
        if (status !== 401) open.push(`${method} ${path}`)
      }
    assert.deepEqual(open.toSorted(), ['get /health/live', 'get /health/ready', 'get /metrics'])
  })

  it('holds: a key can do what its scopes say and nothing else', async () => {
    const reader = bearer(await aKey(database, mine, { scopes: ['read'] }))
    const submitter = bearer(await aKey(database, mine, { scopes: ['submit'] }))
    const operator = bearer(await aKey(database, null))
    const bulk = aBulk({ amount: '0.01' })
    const answers = [
      await post('/transfers/bulk', bulk, reader),
      await post('/transfers/bulk', bulk, operator),
      await post('/transfers/bulk', bulk, submitter),
      await ask(`/transfers/bulk/${bulk.request_id}`, { headers: submitter }),
      await ask(`/transfers/bulk/${bulk.request_id}`, { headers: reader }),
      await ask(`/transfers/bulk/${bulk.request_id}/cancel`, { method: 'POST', headers: reader })
    ]
    assert.deepEqual(
      answers.map(({ status }) => status),
      [403, 403, 201, 403, 200, 403]
    )
  })

  it('holds: another method or another spelling of a path opens nothing', async () => {
    for (const [method, path] of [
      ['PUT', '/transfers/bulk'],
      ['DELETE', '/accounts'],
      ['POST', '/accounts'],
      ['GET', '//accounts'],
      ['GET', '/ACCOUNTS'],
      ['GET', '/health/../accounts'],
      ['GET', '/%61ccounts'],
      ['GET', '/docs/..%2faccounts'],
      ['HEAD', '/accounts']
    ] as const) {
      const { status } = await ask(path, {
        method,
        headers: { 'x-http-method-override': 'GET', 'x-original-url': '/accounts' }
      })
      assert.ok([401, 404].includes(status), `${method} ${path}: ${status}`)
    }
  })
})
