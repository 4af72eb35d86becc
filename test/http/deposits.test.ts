import assert from 'node:assert/strict'
import { it } from 'node:test'
import { listen } from '../support/api.ts'
import { anOrganization, payer } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'
import { aKey, bearer } from '../support/keys.ts'

const database = await createTestDatabase()
const { ask, post } = await listen(createTestContext(database, { MODE: 'test' }), { demo: false })
const operator = bearer(await aKey(database, null))
const organizationId = await anOrganization(database.db)
const own = bearer(await aKey(database, organizationId))
const iban = payer.organization_iban
const path = `/admin/organizations/${organizationId}/accounts/${iban}/deposits`

it('an operator adds money to an account, once for each reference, and its owner sees it', async () => {
  const wanted = { reference: 'top-up-1', amount: '12.5' }
  const first = await post(path, wanted, operator)
  assert.deepEqual([first.status, first.headers.get('idempotent-replayed')], [201, null])
  assert.deepEqual([first.body.reference, first.body.line, first.body.amount], ['top-up-1', 2, '12.50'])
  const again = await post(path, { ...wanted, amount: '12.50' }, operator)
  assert.deepEqual([again.status, again.headers.get('idempotent-replayed')], [201, 'true'])
  assert.deepEqual(again.body, first.body)
  const otherwise = await post(path, { ...wanted, amount: '13.00' }, operator)
  assert.deepEqual([otherwise.status, otherwise.body.error.reason], [409, 'conflict'])
  assert.match(otherwise.body.detail, /a deposit of 12\.50 EUR under it/)
  const { data } = (await ask(`/accounts/${iban}/transactions`, { headers: own })).body
  const { line, kind, amount, reference, description } = data[0]
  assert.deepEqual([line, kind, amount, reference, description], [2, 'DEPOSIT', '12.50', 'top-up-1', null])
  assert.equal((await ask(`/accounts/${iban}`, { headers: own })).body.balance, '100012.50')
})

it('nobody else does, and what is wrong is told', async () => {
  const wanted = { reference: 'x', amount: '1.00' }
  assert.equal((await post(path, wanted, own)).status, 403)
  for (const wrong of [
    { amount: '0' },
    { amount: '-1.00' },
    { amount: '1.001' },
    { reference: 'a b' },
    { reference: '' }
  ])
    assert.equal((await post(path, { ...wanted, ...wrong }, operator)).status, 422, JSON.stringify(wrong))
  const elsewhere = await post(path.replace(iban, 'DE89370400440532013000'), wanted, operator)
  assert.deepEqual([elsewhere.status, elsewhere.body.error.reason], [404, 'unknown-account'])
})
