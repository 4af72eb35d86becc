import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { describe, it, type TestContext } from 'node:test'
import type { AddressInfo } from 'node:net'
import type { BankPayment } from '../../src/verification/bank-log.ts'
import { createHttpBankLog } from '../../src/verification/http-bank-log.ts'
import { verify, type BankLog } from '../../src/verification/verify.ts'
import { transferId } from '../../src/domain/reference.ts'
import { logOf } from '../support/scripted-bank.ts'
import { orders, postAll, startBank } from '../sandbox-bank/bank-harness.ts'
import { aLog, makeHistory, named, submit, workOff, workOnce, type History } from './history.ts'

interface Difference {
  what: string
  log: (history: History) => BankPayment[]
  reported: (history: History) => string[]
  says?: RegExp
}

const foreign = transferId('01JDBZZZZZZZZZZZZZZZZZZZZZ', 0)

function change(history: History, reference: string, changes: Partial<BankPayment>): BankPayment[] {
  return history.log.map((payment) =>
    payment.reference === reference ? { ...payment, ...changes } : payment
  )
}

function add(history: History, payment: Partial<BankPayment>): BankPayment[] {
  const [model] = history.log
  assert(model)
  return [...history.log, { ...model, ...payment }]
}

const differences: Difference[] = [
  { what: 'I3 and I4: nothing, when it is as it should be', log: (h) => h.log, reported: () => [] },
  {
    what: 'I3: a payment that was executed twice',
    log: (h) => add(h, { reference: h.executed.reference(1) }),
    reported: (h) => [`I3 ${h.executed.transfer(1)}`],
    says: /the bank executed it 2 times/
  },
  {
    what: 'I3: a payment of another amount',
    log: (h) => change(h, h.executed.reference(0), { amount: '90.00' }),
    reported: (h) => [`I3 ${h.executed.transfer(0)}`],
    says: /asks for 100\.00 EUR to DE89370400440532013000, the bank paid 90\.00 EUR to DE89370400440532013000/
  },
  {
    what: 'I3: a payment in another currency',
    log: (h) => change(h, h.executed.reference(0), { currency: 'USD' }),
    reported: (h) => [`I3 ${h.executed.transfer(0)}`],
    says: /the bank paid 100\.00 USD/
  },
  {
    what: 'I3: a payment to another account',
    log: (h) => change(h, h.mixed.reference(0), { counterparty_iban: 'EE383680981021245685' }),
    reported: (h) => [`I3 ${h.mixed.transfer(0)}`],
    says: /to DE89370400440532013000, the bank paid 100\.00 EUR to EE383680981021245685/
  },
  {
    what: 'I3: a payment of a transfer that its bulk does not have',
    log: (h) => add(h, { reference: h.executed.reference(3) }),
    reported: (h) => [`I3 payment ${h.executed.reference(3)}`],
    says: /that no transfer of ours asked for/
  },
  {
    what: 'I3: payments that this installation never asked for',
    log: (h) => [...add(h, { reference: foreign }), ...add(h, { reference: 'RENT' }).slice(-1)],
    reported: () => [`I3 payment ${foreign}`, 'I3 payment RENT'],
    says: /that no transfer of ours asked for/
  },
  {
    what: 'I4: an executed transfer that the bank does not have',
    log: (h) => h.log.filter((payment) => payment.reference !== h.executed.reference(2)),
    reported: (h) => [`I4 ${h.executed.transfer(2)}`],
    says: /it is EXECUTED, but the bank did not execute it/
  },
  {
    what: 'I4: a payment of a transfer that failed',
    log: (h) => add(h, { reference: h.mixed.reference(1), amount: '50.00' }),
    reported: (h) => [`I4 ${h.mixed.transfer(1)}`],
    says: /it is FAILED, but the bank executed it/
  },
  {
    what: 'nothing, when the bank executed a transfer that is still unknown',
    log: (h) => add(h, { reference: h.mixed.reference(2), amount: '25.00' }),
    reported: () => []
  }
]

describe("the bank's log", () => {
  for (const { what, log, reported, says } of differences)
    it(`tells ${what}`, async () => {
      const history = await makeHistory()
      const verification = await verify(history.database.db, aLog(log(history)))
      assert.deepEqual(named(verification), reported(history).sort())
      if (says) for (const { details } of verification.violations) assert.match(details, says)
    })

  it('may hold the payments of another installation, if that is said', async () => {
    const history = await makeHistory()
    const log = aLog(add(history, { reference: foreign }))
    const verification = await verify(history.database.db, log, { foreignReferences: 'ignore' })
    assert.deepEqual(verification.violations, [])
    assert.deepEqual(verification.checked, {
      organizations: 1,
      accounts: 2,
      bulks: 3,
      transfers: 8,
      postings: 5,
      bank_payments: 5
    })
  })

  it('may hold the payments of a bulk that was accepted after the snapshot', async () => {
    const history = await makeHistory()
    const { context, organization_id } = history
    await workOnce(context)
    const bank: BankLog = {
      async *payments() {
        await submit(context, organization_id, ['1.00'])
        await workOff(context)
        yield* logOf(context.bank)
      }
    }
    const verification = await verify(history.database.db, bank)
    assert.deepEqual(verification.violations, [])
    assert.equal(verification.checked.transfers, 8)
    assert.equal(verification.checked.bank_payments, 7)
  })
})

describe('the log of a bank over HTTP', () => {
  it('is read to its end, page by page', async (t) => {
    const bank = await startBank(t)
    await postAll(bank.url, orders(1001, 'payment', { amount: '1.5' }))
    const references = new Set<string>()
    for await (const { reference, amount } of createHttpBankLog(bank.url).payments()) {
      references.add(reference)
      assert.equal(amount, '1.50')
    }
    assert.equal(references.size, 1001)
  })

  for (const { what, page, says } of [
    { what: 'count', page: { count: 2, total_amount: '1.00' }, says: 'it counts 2 payments and lists 1' },
    {
      what: 'total',
      page: { count: 1, total_amount: '2.00' },
      says: 'its total is 2.00, the payments it lists add up to 1.00'
    }
  ])
    it(`is a violation of I3 when its ${what} is not that of its payments`, async (t) => {
      const history = await makeHistory()
      const payment = { reference: 'RENT', amount: '1.00', currency: 'EUR', counterparty_iban: 'X' }
      const url = await serve(t, { ...page, payments: [payment], next_cursor: null })
      const { violations } = await verify(history.database.db, createHttpBankLog(url), {
        foreignReferences: 'ignore'
      })
      assert.deepEqual(
        violations.find(({ invariant }) => invariant === 'I3'),
        {
          invariant: 'I3',
          subject: 'the log of the bank',
          details: says
        }
      )
    })
})

async function serve(t: TestContext, body: object): Promise<string> {
  const server = createServer((_, response) => response.end(JSON.stringify(body)))
  t.after(() => server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
