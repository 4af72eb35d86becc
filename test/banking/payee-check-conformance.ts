import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Payee, PayeeCheck, PayeeResult } from '../../src/banking/payee-check.ts'
import { payeeScenarios } from '../../src/sandbox-bank/payee-scenarios.ts'

export const aPayee = (change: Partial<Payee> = {}): Payee => ({
  name: 'John Doe',
  iban: 'DE89370400440532013000',
  bic: 'DEUTDEFFXXX',
  ...change
})

/** The payee of a scenario. */
export function payeeOf(name: string): Payee {
  const scenario = payeeScenarios.find(({ scenario }) => scenario === name)
  if (scenario === undefined) throw new Error(`there is no scenario ${name}`)
  return aPayee({ iban: scenario.counterparty_iban })
}

const patience_ms = 300

/** What every payee check keeps to, on a service that knows the sandbox bank's payees. */
export function describePayeeCheck(title: string, open: () => Promise<PayeeCheck>): void {
  describe(title, async () => {
    const check = await open()
    const results = async (payees: Payee[], timeoutMs = 10_000): Promise<PayeeResult[]> =>
      (await check.verify(payees, timeoutMs)).map(({ result }) => result)

    for (const { scenario, expected_result, description } of payeeScenarios)
      it(`tells of ${scenario}: ${expected_result}. ${description}`, async () => {
        const [answer] = await check.verify([payeeOf(scenario)], patience_ms)
        const suggested_name = expected_result === 'close-match' ? 'Jane Doe-Smith' : null
        assert.deepEqual(answer, { result: expected_result, suggested_name })
      })

    it('answers nothing to nothing', async () => assert.deepEqual(await results([]), []))

    it('tells each of a thousand payees its own result, in their order', async () => {
      const kinds = ['payee-match', 'payee-close-match', 'payee-no-match', 'payee-not-possible']
      const payees = Array.from({ length: 1000 }, (_, nr) => payeeOf(kinds[(nr * 7) % 4] ?? ''))
      const expected = payees.map(
        ({ iban }) => payeeScenarios.find((scenario) => scenario.counterparty_iban === iban)?.expected_result
      )
      assert.deepEqual(await results(payees), expected)
    })

    it('has an answer for everybody at the deadline, although some are still silent', async () => {
      const payees = Array.from({ length: 1000 }, (_, nr) =>
        nr === 950 ? payeeOf('payee-check-slow') : aPayee()
      )
      const start = performance.now()
      const told = await results(payees, patience_ms)
      assert.ok(performance.now() - start < 10 * patience_ms)
      assert.equal(told.length, 1000)
      assert.equal(told[950], 'not-possible')
      // What was told in time counts: who is silent spoils no more than the call that it is in.
      assert.ok(told.slice(0, 900).every((result) => result === 'match'))
    })

    it('is as good as before after everything that went wrong', async () =>
      assert.deepEqual(await results([aPayee()]), ['match']))
  })
}
