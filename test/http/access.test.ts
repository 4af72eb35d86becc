import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { refuse } from '../../src/access/caller.ts'
import type { Scope } from '../../src/access/scope.ts'
import { until } from '../e2e/processes.ts'
import { aBulk, anOrganization } from '../support/builders.ts'
import { listen } from '../support/api.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'
import { aCreatedKey, bearer as bearerOf } from '../support/keys.ts'

const database = await createTestDatabase()
const context = createTestContext(database, { MODE: 'test' })
const { ask, post } = await listen(context, { demo: false })

const aKey = (organization: number | null, scopes: Scope[], environment?: 'test' | 'live') =>
  aCreatedKey(context.db, organization, scopes, environment)
const bearer = ({ api_key }: { api_key: string }) => bearerOf(api_key)

describe('a call outside of demo mode', () => {
  it('without credentials, or with what is none, is 401 and says what to send', async () => {
    const { api_key } = await aKey(await anOrganization(context.db), ['read'])
    const wrong: [string | undefined, RegExp][] = [
      [undefined, /Send an API key/],
      ['', /Send/],
      ['Basic dXNlcjpwYXNz', /Send the API key as/],
      [api_key, /Send the API key as/],
      [`Bearer ${api_key} `.repeat(2), /Send the API key as/],
      [`Bearer ${api_key.slice(0, -1)}`, /not complete/],
      [`Bearer ${api_key.replace('bh_test', 'bh_live')}`, /not complete/],
      [
        `Bearer ${(await aKey(await anOrganization(context.db), ['read'], 'live')).api_key}`,
        /begin with bh_test_/
      ],
      ['Bearer eyJhbGciOiJub25lIn0.e30.', /not an API key/]
    ]
    for (const [authorization, details] of wrong) {
      const answer = await ask('/accounts', { headers: authorization === undefined ? {} : { authorization } })
      assert.equal(answer.status, 401, String(authorization))
      assert.equal(answer.body.error.reason, 'unauthorized')
      assert.match(answer.body.error.details, details)
      assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer/)
    }
  })

  it('acts for the organization of its key, and no other', async () => {
    const [mine, other] = [await anOrganization(context.db), await anOrganization(context.db)]
    const [myKey, otherKey] = [
      await aKey(mine, ['read', 'submit']),
      await aKey(other, ['read', 'submit', 'cancel'])
    ]
    const bulk = aBulk()
    assert.equal((await post('/transfers/bulk', bulk, bearer(myKey))).status, 201)
    const path = `/transfers/bulk/${bulk.request_id}`
    assert.equal((await ask(path, { headers: bearer(myKey) })).status, 200)
    const hidden = await ask(path, { headers: bearer(otherKey) })
    const missing = await ask(`/transfers/bulk/${randomUUID()}`, { headers: bearer(otherKey) })
    const told = ({ body }: typeof hidden) => ({ ...body, trace_id: '', instance: '' })
    assert.deepEqual([hidden.status, told(hidden)], [404, told(missing)])
    assert.equal((await post(`${path}/cancel`, '', bearer(otherKey))).status, 404)
    // The request_id is taken in one organization only.
    assert.equal((await post('/transfers/bulk', bulk, bearer(otherKey))).status, 201)
  })

  it('shares with others under the same credentials the question whose they are', async () => {
    const first = Promise.withResolvers<null>()
    let [asked, received] = [0, 0]
    const tokens = {
      async identify() {
        asked += 1
        if (asked === 1) await first.promise
        return refuse('It is nobody.')
      }
    }
    const { ask, server } = await listen(context, { demo: false, tokens })
    server.server.on('request', () => (received += 1))
    const answers = Array.from({ length: 20 }, () => ask('/accounts', { headers: bearerOf('token') }))
    await until('all have come', () => received === 20)
    await turn()
    const before = asked
    first.resolve(null)
    assert.ok((await Promise.all(answers)).every(({ status }) => status === 401))
    assert.deepEqual([before, asked], [1, 2])
  })

  it('needs the scope of its route', async () => {
    const key = await aKey(await anOrganization(context.db), ['read'])
    const answer = await post('/transfers/bulk', aBulk(), bearer(key))
    assert.deepEqual([answer.status, answer.body.error.reason], [403, 'forbidden'])
    assert.match(answer.body.error.details, /"submit"; yours has: read/)
  })

  it('has ended with the next request when its key is revoked, and after its time', async () => {
    const organization = await anOrganization(context.db)
    const admin = await aKey(organization, ['admin', 'read'])
    const created = await post('/keys', { label: 'payroll', scopes: ['read'] }, bearer(admin))
    assert.equal(created.status, 201)
    assert.equal((await ask('/accounts', { headers: bearer(created.body) })).status, 200)
    const gone = await ask(`/keys/${created.body.key_id}`, { method: 'DELETE', headers: bearer(admin) })
    assert.equal(gone.status, 204)
    const refused = await ask('/accounts', { headers: bearer(created.body) })
    assert.deepEqual(
      [refused.status, refused.body.error.details],
      [401, 'The API key was revoked; use another.']
    )

    const short = await post(
      '/keys',
      { label: 'x', scopes: ['read'], expires_at: '2020-01-01T00:00:00Z' },
      bearer(admin)
    )
    const late = await ask('/accounts', { headers: bearer(short.body) })
    assert.match(late.body.error.details, /has expired/)
  })

  it('goes on with both keys after a rotation, until the hours of grace are over', async () => {
    const organization = await anOrganization(context.db)
    const admin = await aKey(organization, ['admin'])
    const old = (await post('/keys', { label: 'payroll', scopes: ['read'] }, bearer(admin))).body
    const successor = (await post(`/keys/${old.key_id}/rotate`, { grace_hours: 1 }, bearer(admin))).body
    assert.deepEqual([successor.label, successor.scopes], ['payroll', ['read']])
    for (const key of [old, successor])
      assert.equal((await ask('/accounts', { headers: bearer(key) })).status, 200)
    await post(`/keys/${old.key_id}/rotate`, { grace_hours: 0 }, bearer(admin))
    assert.equal((await ask('/accounts', { headers: bearer(old) })).status, 401)
    assert.equal((await ask('/accounts', { headers: bearer(successor) })).status, 200)
    const { data } = (await ask('/keys', { headers: bearer(admin) })).body
    assert.equal(data.length, 4)
    assert.ok(!JSON.stringify(data).includes(successor.api_key), 'a list never shows a key')
  })

  it('of an administrator changes no key of another organization', async () => {
    const [mine, other] = [await anOrganization(context.db), await anOrganization(context.db)]
    const [admin, victim] = [await aKey(mine, ['admin']), await aKey(other, ['read'])]
    for (const [method, path] of [
      ['DELETE', ''],
      ['POST', '/rotate']
    ] as const)
      assert.equal(
        (await ask(`/keys/${victim.key_id}${path}`, { method, headers: bearer(admin) })).status,
        404
      )
    assert.equal((await ask('/accounts', { headers: bearer(victim) })).status, 200)
  })

  it('keeps of a key only its hash', async () => {
    const key = await aKey(await anOrganization(context.db), ['read'])
    const [row] = await database.sql<{ text: string }>(
      'select k::text as text from api_key k where key_id = $1',
      [key.key_id]
    )
    assert.ok(row && !row.text.includes(key.api_key.slice(20, 52)))
  })
})

describe('an operator key', () => {
  it('makes organizations, accounts, limits and keys, and reads no organization as its own', async () => {
    const operator = bearer(await aKey(null, ['operator']))
    const made = await post('/admin/organizations', { name: 'Globex' }, operator)
    const id: number = made.body.organization_id
    const iban = 'DE89370400440532013000'
    const base = `/admin/organizations/${id}`
    const opened = await post(
      `${base}/accounts`,
      { iban, bic: 'DEUTDEFF', opening_balance: '50.00' },
      operator
    )
    assert.deepEqual([opened.status, opened.body.balance], [201, '50.00'])
    assert.equal((await post(`${base}/accounts`, { iban, bic: 'DEUTDEFF' }, operator)).status, 409)
    const key = (await post(`${base}/keys`, { label: 'first', scopes: ['read'] }, operator)).body
    assert.equal((await ask('/accounts', { headers: bearer(key) })).body.data[0].iban, iban)
    assert.equal((await ask(`${base}/accounts/${iban}`, { method: 'DELETE', headers: operator })).status, 409)
    assert.equal((await ask('/accounts', { headers: operator })).status, 403)
    assert.equal((await ask('/admin/organizations', { headers: bearer(key) })).status, 403)
    assert.equal(
      (await post('/admin/organizations/999999/accounts', { iban, bic: 'DEUTDEFF' }, operator)).status,
      404
    )
  })

  it('holds an account, and lets it go on', async () => {
    const operator = bearer(await aKey(null, ['operator']))
    const organization_id = await anOrganization(context.db)
    const key = bearer(await aKey(organization_id, ['submit']))
    const thing = { organization_id, iban: 'FR10474608000002006107XXXXX' }
    assert.equal((await post('/admin/holds', { ...thing, reason: 'a stolen laptop' }, operator)).status, 201)
    assert.equal((await post('/admin/holds', { ...thing, reason: 'again' }, operator)).status, 409)
    const refused = await post('/transfers/bulk', aBulk(), key)
    assert.deepEqual([refused.status, refused.body.error.reason], [422, 'account-not-active'])
    assert.ok(!JSON.stringify(refused.body).includes('laptop'))
    const { data } = (await ask('/admin/holds', { headers: operator })).body
    assert.ok(
      data.some((hold: { iban: string; organization_id: number }) => hold.organization_id === organization_id)
    )
    assert.equal((await post('/admin/holds/release', thing, operator)).status, 200)
    assert.equal((await post('/transfers/bulk', aBulk(), key)).status, 201)
    assert.equal((await post('/admin/holds/release', thing, operator)).status, 409)
  })
})

describe('every route', () => {
  it('refuses a call without credentials, but for those that are public', async () => {
    const document = (await ask('/openapi.json')).body
    const open = ['/bank/notices', '/health/live', '/health/ready', '/metrics']
    for (const [path, operations] of Object.entries<Record<string, unknown>>(document.paths))
      for (const method of Object.keys(operations)) {
        const url = path.replaceAll(/\{\w+\}/g, '1')
        const init = { method: method.toUpperCase(), headers: { 'content-type': 'application/json' } }
        const { status } = await ask(url, method === 'get' ? { method: 'GET' } : { ...init, body: '{}' })
        if (open.includes(path)) assert.notEqual(status, 403, path)
        else assert.equal(status, 401, `${method} ${path}`)
      }
  })
})
