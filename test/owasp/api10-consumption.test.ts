import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, it } from 'node:test'
import { createTokens } from '../../src/access/tokens.ts'
import { listen } from '../support/api.ts'
import { anOrganization } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'
import { aSigningKey, startIssuer } from '../support/issuer.ts'
import { bearer } from '../support/keys.ts'

const database = await createTestDatabase()
const organizationId = await anOrganization(database.db)
const issuer = await startIssuer([await aSigningKey('first')])

/** What the bank says is judged in test/banking and test/execution; here, what the identity provider says. */
describe('API10:2023 Unsafe Consumption of APIs', () => {
  const answers: [string, (response: ServerResponse) => void][] = [
    ['nonsense', (response) => response.end('<html>')],
    ['an empty answer', (response) => response.end()],
    ['keys that are none', (response) => response.end('{"keys":[{"kty":7}]}')],
    ['an answer without end', (response) => response.end('x'.repeat(2_000_000))],
    ['an error', (response) => response.writeHead(500).end('{"keys":[]}')],
    [
      'a redirect to elsewhere',
      (response) => response.writeHead(302, { location: `${issuer.url}/keys` }).end()
    ],
    ['a connection that breaks', (response) => response.destroy()]
  ]
  for (const [what, answer] of answers)
    it(`holds: the issuer's keys are not taken from ${what}`, async () => {
      const keys = createServer((_, response) => answer(response)).listen(0, '127.0.0.1')
      await once(keys, 'listening')
      after(() => {
        keys.close()
        keys.closeAllConnections()
      })
      const context = createTestContext(database, {
        OIDC_ISSUER: issuer.url,
        OIDC_AUDIENCE: 'bulkhead',
        OIDC_JWKS_URL: `http://127.0.0.1:${(keys.address() as AddressInfo).port}/`
      })
      const { ask } = await listen(context, { organizationId, demo: false, tokens: createTokens(context) })
      const token = await issuer.sign({ bulkhead_organization: organizationId })
      const { status, body } = await ask('/accounts', { headers: bearer(token) })
      assert.deepEqual([status, body.error.reason], [503, 'unavailable'])
      assert.doesNotMatch(JSON.stringify(body), /127\.0\.0\.1|html|JSON/)
    })
})
