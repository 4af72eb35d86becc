import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readSettings } from '../../src/settings.ts'
import { twoOrganizations } from './support.ts'

const { ask, post, own } = await twoOrganizations()

describe('API8:2023 Security Misconfiguration', () => {
  it('holds: nothing that would be open to others starts', () => {
    for (const environment of [
      { HOST: '0.0.0.0' },
      { MODE: 'live', HOST: '0.0.0.0', BANK_URL: 'https://bank.example.com' },
      { MODE: 'demo', TRUSTED_PROXY: '10.0.0.1' },
      { MODE: 'live' }
    ])
      assert.equal(readSettings(environment).outcome, 'invalid', JSON.stringify(environment))
  })

  it('holds: a refusal tells nothing of what is inside', async () => {
    const answers = [
      await ask('/nope', { headers: own }),
      await post('/transfers/bulk', '{', own),
      await ask(`/transfers/${'%27%3B--'.repeat(10)}`, { headers: own }),
      await ask('/accounts/x/transactions?limit=x', { headers: own })
    ]
    for (const { status, body } of answers) {
      assert.ok(status >= 400 && status < 500)
      assert.doesNotMatch(JSON.stringify(body), /select |postgres|fastify|node_modules|\.ts:|FST_|at \w+ \(/i)
    }
  })

  it('holds: answers carry the headers that keep browsers from misusing them', async () => {
    const { headers } = await ask('/accounts', { headers: own })
    assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('access-control-allow-origin'), null)
    assert.equal(headers.get('server') ?? headers.get('x-powered-by'), null)
  })
})
