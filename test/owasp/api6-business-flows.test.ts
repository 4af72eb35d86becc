import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { aBulk } from '../support/builders.ts'
import { twoOrganizations } from './support.ts'

const { ask, post, own } = await twoOrganizations({ TRANSFERS_PER_MINUTE: 100, KEY_SHARE_PERCENT: 100 })

describe('API6:2023 Unrestricted Access to Sensitive Business Flows', () => {
  it('holds: paying is bounded in a minute however it is cut into requests', async () => {
    const submit = () => post('/transfers/bulk', aBulk({ transfers: 30, amount: '0.01' }), own)
    const answers = await Promise.all(Array.from({ length: 10 }, submit))
    const accepted = answers.filter(({ status }) => status === 201)
    assert.deepEqual([accepted.length, answers.filter(({ status }) => status === 429).length], [3, 7])
    const { body } = await ask('/accounts', { headers: own })
    assert.equal(body.data[0].reserved, '0.90')
  })

  it('holds: what was paid once is not paid again by a repetition', async () => {
    const bulk = aBulk({ transfers: 1, amount: '0.01' })
    const first = await post('/transfers/bulk', bulk, own)
    const again = await Promise.all(Array.from({ length: 5 }, () => post('/transfers/bulk', bulk, own)))
    assert.deepEqual(
      again.map(({ body }) => body),
      again.map(() => first.body)
    )
    assert.equal((await ask('/accounts', { headers: own })).body.data[0].reserved, '0.91')
  })
})
