import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { base64url, exportSPKI, SignJWT, UnsecuredJWT, type JWTPayload } from 'jose'
import { createTokens } from '../../src/access/tokens.ts'
import { listen } from '../support/api.ts'
import { aBulk, anOrganization } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'
import { aSigningKey, startIssuer } from '../support/issuer.ts'
import { bearer } from '../support/keys.ts'

const database = await createTestDatabase()
const organizationId = await anOrganization(database.db)
const claim = { bulkhead_organization: organizationId }
const now = Math.floor(Date.now() / 1000)

/** An API that trusts an issuer of its own, and a clock that only the test moves. */
async function anApi(alg?: string) {
  const issuer = await startIssuer([await aSigningKey('first', alg)])
  const context = createTestContext(database, {
    OIDC_ISSUER: issuer.url,
    OIDC_AUDIENCE: 'bulkhead',
    FAILED_AUTHENTICATIONS_PER_MINUTE: 10_000
  })
  const clock = { elapsed_ms: 1_000_000 }
  context.clock = { ...context.clock, elapsedMs: () => clock.elapsed_ms }
  const api = await listen(context, { organizationId, demo: false, tokens: createTokens(context) })
  const ask = (token: string) => api.ask('/accounts', { headers: bearer(token) })
  return { ...api, ask, issuer, clock }
}

const plain = await anApi()

describe('an access token', () => {
  const { ask, issuer } = plain
  for (const alg of ['RS256', 'PS256', 'ES256', 'EdDSA'])
    it(`is taken with ${alg}, for the organization that it names and for its scopes`, async () => {
      const { ask, post, issuer } = await anApi(alg)
      const token = await issuer.sign({ ...claim, scope: 'openid bulkhead:read' })
      const { status, body } = await ask(token)
      assert.deepEqual([status, body.data.length], [200, 1])
      const refused = await post('/transfers/bulk', aBulk(), bearer(token))
      assert.deepEqual([refused.status, refused.body.error.reason], [403, 'forbidden'])
    })

  it('may list its scopes in scp, and is never an operator', async () => {
    const { ask, post, issuer } = await anApi()
    const token = await issuer.sign({ ...claim, scope: undefined, scp: ['submit', 'operator'] })
    assert.equal((await post('/transfers/bulk?dry_run=true', aBulk(), bearer(token))).status, 200)
    const refused = await ask(token)
    assert.match(refused.body.detail, /yours has: submit\./)
  })

  const wrong: [string, Record<string, unknown>, RegExp][] = [
    ['that has expired', { exp: now - 61 }, /has expired/],
    ['that never expires', { exp: undefined }, /claim "exp"/],
    ['that is not valid yet', { nbf: now + 120 }, /claim "nbf"/],
    ['for another audience', { aud: 'other' }, /claim "aud"/],
    ['without an audience', { aud: undefined }, /claim "aud"/],
    ['of another issuer', { iss: 'https://example.com' }, /claim "iss"/],
    ['of nobody', { sub: undefined }, /claim "sub"/],
    ['of a name that would break a log line', { sub: 'anna\n{"level":30}' }, /"sub" of 1 to 255/],
    ['without an organization', { bulkhead_organization: undefined }, /names no organization/],
    [
      'of an organization that does not exist',
      { bulkhead_organization: 2_000_000_000 },
      /names no organization/
    ],
    ['of an organization that cannot be', { bulkhead_organization: 2 ** 40 }, /names no organization/],
    ['of several organizations', { bulkhead_organization: [organizationId] }, /names no organization/]
  ]
  for (const [what, claims, says] of wrong)
    it(`is refused: one ${what}`, async () => {
      const { status, body, headers } = await ask(await issuer.sign({ ...claim, ...claims }))
      assert.deepEqual([status, body.error.reason], [401, 'unauthorized'])
      assert.match(body.detail, says)
      assert.match(headers.get('www-authenticate') ?? '', /^Bearer/)
    })

  it('may be a minute off in its times', async () => {
    assert.equal((await ask(await issuer.sign({ ...claim, exp: now - 30, nbf: now + 30 }))).status, 200)
  })

  it('is refused in the same words, whether it names no organization or one that does not exist', async () => {
    const none = await ask(await issuer.sign())
    const unknown = await ask(await issuer.sign({ bulkhead_organization: 2_000_000_000 }))
    assert.deepEqual([none.status, none.body.detail], [unknown.status, unknown.body.detail])
  })
})

describe('a forged token', async () => {
  const { ask, issuer } = await anApi('RS256')
  const [key] = issuer.state.keys
  assert.ok(key)
  const payload = { iss: issuer.url, aud: 'bulkhead', sub: 'anna', exp: now + 300, ...claim, scope: 'read' }
  const sign = (header: { alg: string }, secret: Uint8Array) =>
    new SignJWT(payload).setProtectedHeader({ kid: 'first', ...header }).sign(secret)
  const good = await issuer.sign(claim)
  const forged: [string, string][] = [
    ['without a signature', new UnsecuredJWT(payload).encode()],
    [
      'signed with the public key as a secret',
      await sign({ alg: 'HS256' }, Buffer.from(await exportSPKI(key.publicKey)))
    ],
    ['with other claims under a signature', replacePayload(good, { ...payload, sub: 'eve' })],
    ['with its signature cut off', good.replace(/[^.]*$/, '')],
    ['by another key under the same id', await issuer.sign(claim, await aSigningKey('first', 'RS256'))],
    [
      'by another kind of key under the same id',
      await issuer.sign(claim, await aSigningKey('first', 'ES256'))
    ],
    ['of three dots', '...'],
    ['of 8193 characters', 'a'.repeat(8193)],
    ['with a huge claim', await issuer.sign({ ...claim, note: 'x'.repeat(9_000) })]
  ]
  for (const [what, token] of forged)
    it(`is refused: ${what}`, async () => {
      const { status, body } = await ask(token)
      assert.deepEqual([status, body.error.reason], [401, 'unauthorized'])
      assert.doesNotMatch(body.detail, /claim|anna|eve/)
    })
})

describe('the keys of the issuer', () => {
  it('are read once, and once again for a key that is new', async () => {
    const { ask, issuer, clock } = await anApi()
    assert.equal((await ask(await issuer.sign(claim))).status, 200)
    assert.equal((await ask(await issuer.sign(claim))).status, 200)
    assert.equal(issuer.state.reads, 1)
    issuer.state.keys = [await aSigningKey('second')]
    clock.elapsed_ms += 10_000
    assert.equal((await ask(await issuer.sign(claim))).status, 200)
    assert.equal(issuer.state.reads, 2)
  })

  it('are not read again for each token with an invented key id', async () => {
    const { ask, issuer, clock } = await anApi()
    await ask(await issuer.sign(claim))
    clock.elapsed_ms += 10_000
    const answers = [1, 2, 3, 4].map(async (name) =>
      ask(await issuer.sign(claim, await aSigningKey(`no-${name}`)))
    )
    assert.deepEqual(
      (await Promise.all(answers)).map(({ status }) => status),
      [401, 401, 401, 401]
    )
    assert.equal(issuer.state.reads, 2)
  })

  it('go on while the issuer is away; a key that is not known is answered 503 until it is back', async () => {
    const { ask, issuer, clock } = await anApi()
    const token = await issuer.sign(claim)
    assert.equal((await ask(token)).status, 200)
    issuer.state.away = true
    clock.elapsed_ms += 86_400_000
    assert.equal((await ask(token)).status, 200)
    issuer.state.keys.unshift(await aSigningKey('second'))
    const unknown = await ask(await issuer.sign(claim))
    assert.deepEqual([unknown.status, unknown.body.error.reason], [503, 'unavailable'])
    assert.ok(Number(unknown.headers.get('retry-after')) > 0)
    issuer.state.away = false
    clock.elapsed_ms += 10_000
    assert.equal((await ask(await issuer.sign(claim))).status, 200)
  })

  it('that were withdrawn are not taken for much longer', async () => {
    const { ask, issuer, clock } = await anApi()
    const token = await issuer.sign(claim)
    assert.equal((await ask(token)).status, 200)
    issuer.state.keys = [await aSigningKey('second')]
    clock.elapsed_ms += 601_000
    // Still taken, while the keys are read beside it: that read is what a token of an invented key waits for.
    await ask(token)
    await ask(await issuer.sign(claim))
    assert.equal((await ask(token)).status, 401)
  })

  it('that were never read make tokens wait, and API keys not', async () => {
    const { ask, issuer } = await anApi()
    issuer.state.away = true
    assert.equal((await ask(await issuer.sign(claim))).status, 503)
    assert.equal((await ask('bh_test_nonsense')).status, 401)
  })
})

function replacePayload(token: string, payload: JWTPayload): string {
  const [head = '', , signature = ''] = token.split('.')
  return [head, base64url.encode(JSON.stringify(payload)), signature].join('.')
}
