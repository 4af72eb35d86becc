import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { findIbanFault } from '../../src/domain/account-number.ts'
import { payeeScenarios } from '../../src/sandbox-bank/payee-scenarios.ts'
import { ask, describeReply, list, startBank } from './bank-harness.ts'

const verify = (url: string, body: unknown) =>
  ask(`${url}/payee-verifications`, { method: 'POST', body: JSON.stringify(body) })
const payee = { name: 'John Doe', iban: 'DE89370400440532013000', bic: 'DEUTDEFFXXX' }

describe('POST /payee-verifications of the sandbox bank', () => {
  it('matches every name and IBAN that is in no scenario, and pays nothing', async (t) => {
    const { url } = await startBank(t)
    const { body } = await verify(url, { payees: [payee, { ...payee, name: 'Anybody' }] })
    const matches = { iban: payee.iban, result: 'MATCH' }
    assert.deepEqual(body, { results: [matches, matches] })
    assert.equal((await list(url)).count, 0)
  })

  it('refuses what is no list of at most 100 payees', async (t) => {
    const { url } = await startBank(t)
    const wrong = [{}, [], null, { payees: 'x' }, { payees: [null] }, { payees: [{ ...payee, iban: '' }] }]
    for (const body of [...wrong, { payees: Array.from({ length: 101 }, () => payee) }])
      assert.equal(describeReply(await verify(url, body)), '422 invalid-payees')
  })

  it('takes a hundred payees with the longest names', async (t) => {
    const { url } = await startBank(t)
    const payees = Array.from({ length: 100 }, () => ({ ...payee, name: '\u{1F600}'.repeat(70) }))
    assert.equal((await verify(url, { payees })).status, 200)
  })
})

describe('GET /payee-scenarios', () => {
  it('lists every scenario, each with a valid IBAN of its own and without its inner workings', async (t) => {
    const { url } = await startBank(t)
    const { body } = await ask(`${url}/payee-scenarios`)
    const told = payeeScenarios.map((scenario) => ({ ...scenario, says: undefined }))
    assert.deepEqual(body, JSON.parse(JSON.stringify(told)))
    const ibans = payeeScenarios.map(({ counterparty_iban }) => counterparty_iban)
    assert.equal(new Set(ibans).size, ibans.length)
    assert.deepEqual(
      ibans.filter((iban) => findIbanFault(iban) !== null),
      []
    )
  })
})
