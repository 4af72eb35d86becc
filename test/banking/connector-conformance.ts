import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BankConnector, PaymentOrder } from '../../src/banking/connector.ts'

export interface BankUnderTest {
  connector: BankConnector
  /** The bank's own log, not through the connector: a line for each execution. */
  executions: () => Promise<{ reference: string; amount: string }[]>
}

export const rejectedIban = 'DE88000000000000001004'

let orders = 0

/** An order of a reference of its own. */
export function anOrder(change: Partial<PaymentOrder> = {}): PaymentOrder {
  orders += 1
  return {
    reference: `01M8${String(process.pid).padStart(10, '0')}${String(orders).padStart(12, '0')}-0`,
    amount_minor: 12_34n,
    currency: 'EUR',
    debtor_iban: 'FR10474608000002006107XXXXX',
    counterparty_name: 'John Doe',
    counterparty_bic: 'DEUTDEFFXXX',
    counterparty_iban: 'DE89370400440532013000',
    description: 'Salary payment for June 2024',
    ...change
  }
}

/** What every connector has to do, whatever bank is behind it. */
export function describeConnector(name: string, arrange: () => Promise<BankUnderTest>): void {
  describe(`${name}, as a bank connector`, async () => {
    const { connector, executions } = await arrange()
    const amountsOf = async ({ reference }: PaymentOrder) =>
      (await executions()).filter((line) => line.reference === reference).map(({ amount }) => amount)

    it('executes what is submitted', async () => {
      const order = anOrder()
      assert.deepEqual(await connector.submit(order), { outcome: 'executed' })
      assert.deepEqual(await amountsOf(order), ['12.34'])
    })

    it('executes a reference once, however often it is submitted, one after the other or at once', async () => {
      const order = anOrder()
      const first = await Promise.all([
        connector.submit(order),
        connector.submit(order),
        connector.submit(order)
      ])
      const answers = [...first, await connector.submit(order)]
      assert.deepEqual(new Set(answers.map(({ outcome }) => outcome)), new Set(['executed']))
      assert.deepEqual(await amountsOf(order), ['12.34'])
    })

    for (const [what, change] of [
      ['amount', { amount_minor: 1n }],
      ['payee', { counterparty_iban: 'FR7630006000011234567890189' }]
    ] as const)
      it(`never says executed of a reference that was executed with another ${what}`, async () => {
        const order = anOrder()
        await connector.submit(order)
        for (const answer of [
          await connector.submit({ ...order, ...change }),
          await connector.inquire({ ...order, ...change })
        ])
          assert.equal(answer.outcome, 'unknown')
        assert.deepEqual(await amountsOf(order), ['12.34'])
      })

    it('does not find what it never received', async () => {
      assert.deepEqual(await connector.inquire(anOrder()), { outcome: 'not-found' })
    })

    it('finds what it executed', async () => {
      const order = anOrder()
      await connector.submit(order)
      assert.deepEqual(await connector.inquire(order), { outcome: 'executed' })
    })

    it('rejects with a reason code, and the same every time it is asked', async () => {
      const order = anOrder({ counterparty_iban: rejectedIban })
      const rejection = await connector.submit(order)
      assert.ok(rejection.outcome === 'rejected')
      assert.match(rejection.code, /^[A-Z]{2}[0-9]{2}$/)
      assert.deepEqual(
        [await connector.submit(order), await connector.inquire(order)],
        [rejection, rejection]
      )
      assert.deepEqual(await amountsOf(order), [])
    })

    it('answers a ping', async () => {
      assert.equal(await connector.ping(), true)
    })
  })
}
