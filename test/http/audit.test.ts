import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { organizationScopes, type Scope } from '../../src/access/scope.ts'
import { auditTypes, eventTypes } from '../../src/events/event-types.ts'
import { sealEvents } from '../../src/events/seal-events.ts'
import { aBulk, payer } from '../support/builders.ts'
import { listen } from '../support/api.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'
import { aCreatedKey, bearer } from '../support/keys.ts'

const database = await createTestDatabase()
const context = createTestContext(database, { MODE: 'test' })
const { url, ask, post } = await listen(context, { demo: false })

const iban = 'FR7630006000011234567890189'

interface Shown {
  position: number
  type: string
  actor: string
  trace_id: string | null
  data: Record<string, unknown>
  content: string
  previous_hash: string
  hash: string
}

async function aKey(organization_id: number | null, scopes: Scope[]) {
  const key = await aCreatedKey(context.db, organization_id, scopes)
  return { ...key, actor: `key:${key.key_id}`, authorization: bearer(key.api_key) }
}

const json = (method: string, body: unknown, authorization: Record<string, string>) => ({
  method,
  headers: { 'content-type': 'application/json', ...authorization },
  body: JSON.stringify(body)
})

/** An organization that an operator made, and its key with every scope. */
async function arrange() {
  const operator = await aKey(null, ['operator'])
  const made = await post('/admin/organizations', { name: 'ACME Corp' }, operator.authorization)
  const id: number = made.body.organization_id
  const own = await aKey(id, organizationScopes)
  const base = `/admin/organizations/${id}`
  const put = (path: string, body: unknown) => ask(base + path, json('PUT', body, operator.authorization))
  const seal = async () => {
    while ((await sealEvents(context.db)) > 0);
  }
  const audit = async (query = ''): Promise<Shown[]> => {
    await seal()
    return (await ask(`/audit?limit=1000${query}`, { headers: own.authorization })).body.data
  }
  const openAccount = () =>
    post(
      `${base}/accounts`,
      { iban, bic: payer.organization_bic, opening_balance: '500.00' },
      operator.authorization
    )
  return { id, base, operator, own, put, seal, audit, openAccount }
}

const told = (records: Shown[]) => records.map(({ type, actor, data }) => [type, actor, data])

describe('GET /audit', () => {
  it('tells who changed an organization and its accounts, and what it was before', async () => {
    const { id, base, operator, own, put, audit, openAccount } = await arrange()
    await put('/limits', { requests_per_minute: 10, transfers_per_minute: null })
    await put('/payee-check', { payee_check: 'hold' })
    assert.equal((await put('/validation', { validation: 'lenient' })).body.validation, 'lenient')
    await openAccount()
    const limits = { max_transfer_amount: '5.00', max_bulk_amount: null, max_day_amount: '10.00' }
    await put(`/accounts/${iban}/limits`, limits)
    const account = 'FR76...0189'
    const by = operator.actor
    assert.deepEqual(told(await audit()), [
      ['organization.created', by, { organization_id: id }],
      ['key.created', 'test', { key_id: own.key_id, scopes: organizationScopes, expires_at: null }],
      [
        'organization.limited',
        by,
        {
          before: { requests_per_minute: null, transfers_per_minute: null },
          after: { requests_per_minute: 10, transfers_per_minute: null }
        }
      ],
      [
        'organization.policy_changed',
        by,
        { before: { payee_check: 'warn' }, after: { payee_check: 'hold' } }
      ],
      [
        'organization.policy_changed',
        by,
        { before: { validation: 'strict' }, after: { validation: 'lenient' } }
      ],
      ['account.opened', by, { account, opening_balance: '500.00' }],
      [
        'account.limited',
        by,
        {
          account,
          before: { max_transfer_amount: null, max_bulk_amount: null, max_day_amount: null },
          after: limits
        }
      ]
    ])
    const empty = 'DE89370400440532013000'
    await post(`${base}/accounts`, { iban: empty, bic: payer.organization_bic }, operator.authorization)
    for (let time = 0; time < 2; time++)
      await ask(`${base}/accounts/${empty}`, { method: 'DELETE', headers: operator.authorization })
    assert.deepEqual(told(await audit('&type=account.closed')), [
      ['account.closed', by, { account: 'DE89...3000', before: { closed: false }, after: { closed: true } }]
    ])
  })

  it('tells of keys, holds and webhooks, and no secret of any', async () => {
    const { id, operator, own, audit } = await arrange()
    const { api_key, key_id } = (await post('/keys', { label: 'x', scopes: ['read'] }, own.authorization))
      .body
    const rotated = (await post(`/keys/${key_id}/rotate`, null, own.authorization)).body
    await ask(`/keys/${key_id}`, { method: 'DELETE', headers: own.authorization })
    await post('/admin/holds', { organization_id: id, reason: 'Jane called' }, operator.authorization)
    await post('/admin/holds/release', { organization_id: id }, operator.authorization)
    const address = 'https://example.com/hidden-token'
    const made = (await post('/webhooks/endpoints', { url: address }, own.authorization)).body
    const endpoint = `/webhooks/endpoints/${made.endpoint_no}`
    await ask(endpoint, json('PATCH', { enabled: false }, own.authorization))
    const secret = (await post(`${endpoint}/rotate-secret`, {}, own.authorization)).body.secret
    await ask(endpoint, { method: 'DELETE', headers: own.authorization })
    const records = (await audit('&after=2')).map(({ type, actor, data }) => ({ type, actor, data }))
    assert.deepEqual(
      records.map(({ type, actor }) => [type, actor]),
      [
        ['key.created', own.actor],
        ['key.rotated', own.actor],
        ['key.revoked', own.actor],
        ['hold.placed', operator.actor],
        ['hold.released', operator.actor],
        ['webhook.created', own.actor],
        ['webhook.changed', own.actor],
        ['webhook.secret_rotated', own.actor],
        ['webhook.deleted', own.actor]
      ]
    )
    const seen = { host: 'example.com', event_types: null }
    assert.deepEqual(records[6]?.data, {
      endpoint_no: made.endpoint_no,
      before: { ...seen, status: 'ENABLED' },
      after: { ...seen, status: 'DISABLED' },
      url_changed: false
    })
    const text = JSON.stringify(records)
    for (const hidden of [api_key, rotated.api_key, made.secret, secret, 'hidden-token', 'Jane'])
      assert.ok(hidden.length > 3 && !text.includes(hidden), hidden)
  })

  it('is refused without the scope, and shows an organization its own records only', async () => {
    const [mine, other] = [await arrange(), await arrange()]
    await other.put('/payee-check', { payee_check: 'off' })
    assert.equal((await mine.audit()).length, 2)
    const reader = await aKey(mine.id, ['read'])
    assert.equal((await ask('/audit', { headers: reader.authorization })).status, 403)
    assert.deepEqual(told(await mine.audit(`&actor=${mine.operator.actor}`)), [
      ['organization.created', mine.operator.actor, { organization_id: mine.id }]
    ])
  })

  it('can be recomputed by anybody, as a page and as JSON lines', async () => {
    const { own, seal, openAccount } = await arrange()
    await openAccount()
    assert.equal(
      (await post('/transfers/bulk', aBulk({ organization_iban: iban }), own.authorization)).status,
      201
    )
    await seal()
    const read = await fetch(`${url}/audit?format=jsonl`, { headers: own.authorization })
    assert.equal(read.headers.get('content-type'), 'application/jsonl')
    const lines = (await read.text()).trimEnd().split('\n')
    const records = lines.map((line) => JSON.parse(line) as Shown)
    assert.deepEqual(records, (await ask('/audit', { headers: own.authorization })).body.data)
    assert.deepEqual(
      records.map(({ position, type }) => [position, type]),
      [
        [1, 'organization.created'],
        [2, 'key.created'],
        [3, 'account.opened'],
        [4, 'bulk.accepted']
      ]
    )
    let previous = Buffer.alloc(0)
    for (const { content, previous_hash, hash, type, actor, trace_id, data } of records) {
      assert.equal(previous_hash, previous.toString('hex'))
      previous = createHash('sha256').update(previous).update(content, 'utf8').digest()
      assert.equal(hash, previous.toString('hex'))
      const said = JSON.parse(content) as unknown[]
      assert.deepEqual([said[2], said[5], said[6], said[8]], [type, actor, trace_id, data])
    }
  })
})

it('the feed and the streams of bulks tell nothing of what administrators do', async () => {
  const { own, seal, openAccount } = await arrange()
  await openAccount()
  const bulk = aBulk({ organization_iban: iban })
  await post('/transfers/bulk', bulk, own.authorization)
  await seal()
  const { data, next_after } = (await ask('/events', { headers: own.authorization })).body
  assert.deepEqual([data.map(({ type }: Shown) => type), next_after], [['bulk.accepted'], 4])
  assert.equal((await ask('/events?type=key.created', { headers: own.authorization })).status, 400)
})

it('the schema knows exactly the types that the program does', async () => {
  const [row] = await database.sql<{ rule: string }>(
    `select pg_get_constraintdef(oid) as rule from pg_constraint where conname = 'event_type_check'`
  )
  const types = [...(row?.rule ?? '').matchAll(/'([a-z._]+)'/g)].map(([, type]) => type)
  assert.deepEqual(types.toSorted(), Object.keys({ ...eventTypes, ...auditTypes }).toSorted())
})
