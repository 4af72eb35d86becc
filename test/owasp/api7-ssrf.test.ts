import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, it } from 'node:test'
import { SignJWT } from 'jose'
import { createTokens } from '../../src/access/tokens.ts'
import { listen } from '../support/api.ts'
import { aBulk } from '../support/builders.ts'
import { aSigningKey, startIssuer } from '../support/issuer.ts'
import { bearer } from '../support/keys.ts'
import { twoOrganizations } from './support.ts'

const { context, mine, own } = await twoOrganizations()
const issuer = await startIssuer([await aSigningKey('first')])
Object.assign(context.settings, { OIDC_ISSUER: issuer.url, OIDC_AUDIENCE: 'bulkhead' })
const { ask, post } = await listen(context, {
  organizationId: mine,
  demo: false,
  tokens: createTokens(context)
})

let calls = 0
const inside = createServer((_, response) => {
  calls += 1
  response.end('{"keys":[]}')
}).listen(0, '127.0.0.1')
await once(inside, 'listening')
after(() => inside.close())
const url = `http://127.0.0.1:${(inside.address() as AddressInfo).port}/keys`

describe('API7:2023 Server Side Request Forgery', () => {
  for (const name of ['jku', 'x5u', 'iss'])
    it(`holds: a token does not say from where its key is fetched: ${name}`, async () => {
      const { privateKey } = await aSigningKey('evil')
      const token = await new SignJWT({ iss: name === 'iss' ? url : issuer.url, aud: 'bulkhead', sub: 'a' })
        .setProtectedHeader({ alg: 'ES256', kid: 'evil', [name]: url })
        .setExpirationTime('5m')
        .sign(privateKey)
      assert.equal((await ask('/accounts', { headers: bearer(token) })).status, 401)
      assert.equal(calls, 0)
    })

  it('holds: no address in a bulk or a header is called', async () => {
    await post(
      '/transfers/bulk',
      { ...aBulk({ amount: '0.01' }), label: url, metadata: { callback_url: url } },
      own
    )
    await ask(url.replace(/^http:/, '/'), { headers: { ...own, 'x-forwarded-host': url, referer: url } })
    assert.equal(calls, 0)
  })
})
