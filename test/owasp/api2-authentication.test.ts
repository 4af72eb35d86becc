import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { aKey, bearer } from '../support/keys.ts'
import { twoOrganizations } from './support.ts'

const { ask, database, mine, own } = await twoOrganizations({ FAILED_AUTHENTICATIONS_PER_MINUTE: 40 })
const key = own.authorization.replace('Bearer ', '')
const wrong: [string, Record<string, string>][] = [
  ['nothing', {}],
  ['a wrong scheme', { authorization: `Basic ${key}` }],
  ['two keys', { authorization: `Bearer ${key} ${key}` }],
  ['a key in a header of another name', { 'x-api-key': key }],
  ['a key with a letter too many', bearer(`${key}a`)],
  ['a key with a letter changed', bearer(key.slice(0, 30) + (key[30] === 'a' ? 'b' : 'a') + key.slice(31))],
  ['a key that was revoked', bearer(await aKey(database, mine, { revoked: true }))],
  ['a key that has expired', bearer(await aKey(database, mine, { expired: true }))],
  ['a key of the other environment', bearer(await aKey(database, mine, { environment: 'live' }))],
  ['a token where no issuer is trusted', bearer('eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.')]
]

describe('API2:2023 Broken Authentication', () => {
  for (const [what, headers] of wrong)
    it(`holds: ${what} is answered 401, with how to authenticate`, async () => {
      const answer = await ask('/accounts', { headers })
      assert.deepEqual([answer.status, answer.body.error.reason], [401, 'unauthorized'])
      assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer/)
    })

  it('holds: a key in the address is no key', async () => {
    assert.equal((await ask(`/accounts?api_key=${key}&access_token=${key}`)).status, 401)
  })

  it('holds: guessing ends', async () => {
    const statuses = new Set<number>()
    for (let tries = 0; tries <= 40; tries++)
      statuses.add((await ask('/accounts', { headers: bearer(`bh_test_${tries}`) })).status)
    assert.deepEqual([...statuses], [401, 429])
  })

  it('holds: what is stored of a key does not open anything', async () => {
    const rows = await database.sql('select * from api_key')
    assert.ok(!JSON.stringify(rows).includes(key.slice(20, 52)))
  })
})
