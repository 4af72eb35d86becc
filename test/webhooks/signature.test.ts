import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { openSecret, sealSecret } from '../../src/webhooks/sealed-secret.ts'
import { showSecret, signedHeaders } from '../../src/webhooks/signature.ts'

const body = '{"type":"bulk.completed","data":{"label":"Löhne ✓"}}'
const message = { webhook_id: 'msg_1', timestamp_s: Math.floor(Date.now() / 1000), body }

describe('a signature', () => {
  it('is what the published package of the specification verifies', () => {
    const secret = randomBytes(32)
    const headers = signedHeaders(message, [secret])
    assert.deepEqual(new Webhook(showSecret(secret)).verify(body, headers), JSON.parse(body))
    assert.throws(() => new Webhook(showSecret(randomBytes(32))).verify(body, headers))
    assert.throws(() => new Webhook(showSecret(secret)).verify(`${body} `, headers))
    const laterId = { ...headers, 'webhook-id': 'msg_2' }
    assert.throws(() => new Webhook(showSecret(secret)).verify(body, laterId))
  })

  it('is there once for each secret that counts', () => {
    const secrets = [randomBytes(32), randomBytes(32)]
    const headers = signedHeaders(message, secrets)
    for (const secret of secrets) new Webhook(showSecret(secret)).verify(body, headers)
  })
})

describe('a secret that is kept', () => {
  const [first, second] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')]
  const secret = randomBytes(32)
  const sealedUnder = (keys: string | undefined) =>
    sealSecret(secret, randomBytes(12), { keys, organization_id: 1 })

  it('cannot be read without the key, and opens under any key that is set', () => {
    const stored = sealedUnder(first)
    assert.ok(!stored.includes(secret))
    for (const keys of [first, `${second},${first}`])
      assert.deepEqual(openSecret(stored, { keys, organization_id: 1 }), secret)
    for (const keys of [second, undefined])
      assert.equal(openSecret(stored, { keys, organization_id: 1 }), null)
  })

  it('opens for no other organization', () => {
    assert.equal(openSecret(sealedUnder(first), { keys: first, organization_id: 2 }), null)
  })

  it('is kept as it is where no key is set, and still read when one is set later', () => {
    assert.deepEqual(openSecret(sealedUnder(undefined), { keys: first, organization_id: 1 }), secret)
  })
})
