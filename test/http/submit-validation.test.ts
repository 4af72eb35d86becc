import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { acceptance } from '../../src/http/schemas.ts'
import { aBulk, anOrganization, aTransfer } from '../support/builders.ts'
import { listen } from '../support/api.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const api = await listen(createTestContext(database), { organizationId: await anOrganization(database.db) })

describe('POST /transfers/bulk', () => {
  it('answers what should be looked at, the same again to a replay and in a dry run', async () => {
    const bulk = aBulk({ credit_transfers: [aTransfer({ counterparty_name: 'Zoë Ångström' })] })
    const [dry, first, again] = [
      await api.post('/transfers/bulk?dry_run=true', bulk),
      await api.post('/transfers/bulk', bulk),
      await api.post('/transfers/bulk', { ...bulk, duplicate_check: 'reject' })
    ]
    assert.deepEqual([dry.status, first.status, again.status], [200, 201, 201])
    assert.deepEqual(first.body, again.body)
    assert.deepEqual(dry.body.warnings, first.body.warnings)
    acceptance.strict().parse(first.body)
    assert.deepEqual(first.body.warnings, [
      {
        pointer: '/credit_transfers/0/counterparty_name',
        index: 0,
        code: 'character-set',
        detail: `The bank is sent "Zoe Angstrom": SEPA payments carry a-z, A-Z, 0-9, space and / - ? : ( ) . , ' + only (EPC217-08).`
      }
    ])
  })

  it('refuses what was paid before, on demand, and names it', async () => {
    const bulk = aBulk({ amount: '3.21', duplicate_check: 'reject' })
    assert.equal((await api.post('/transfers/bulk', bulk)).status, 201)
    const refused = await api.post('/transfers/bulk', { ...bulk, request_id: randomUUID() })
    assert.deepEqual([refused.status, refused.body.error.reason], [422, 'duplicate-transfer'])
    const [error] = refused.body.errors
    assert.deepEqual([error.pointer, error.code], ['/credit_transfers/0', 'duplicate-recent'])
    assert.ok(error.detail.includes(bulk.request_id))
  })

  it('refuses a key that is given twice, and says where', async () => {
    const text = JSON.stringify(aBulk()).replace('"amount":', '"amount": "1.00", "amount":')
    const refused = await api.post('/transfers/bulk', text)
    assert.deepEqual([refused.status, refused.body.error.reason], [422, 'invalid-request'])
    assert.deepEqual(
      refused.body.errors.map(({ pointer, code }: { pointer: string; code: string }) => [pointer, code]),
      [['/credit_transfers/0/amount', 'duplicate-key']]
    )
  })

  for (const [character, named] of [
    ['\0', 'U+0000'],
    ['\ud800', 'U+D800'],
    ['\u202e', 'U+202E'],
    ['\uffff', 'U+FFFF'],
    ['\u200b', 'U+200B']
  ] as const)
    it(`refuses a name with ${named} and names the character`, async () => {
      const transfers = [aTransfer({ counterparty_name: `John${character}Doe` })]
      const refused = await api.post('/transfers/bulk', aBulk({ credit_transfers: transfers }))
      assert.deepEqual([refused.status, refused.body.error.reason], [422, 'invalid-request'])
      assert.match(
        refused.body.errors[0].detail,
        new RegExp(`contains U\\+${named.slice(2)} .* as character 5; remove it`)
      )
    })
})
