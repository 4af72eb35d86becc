import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deposit } from '../../src/accounts/deposit.ts'
import { listTransactions, readAccount } from '../../src/accounts/read-accounts.ts'
import { closeAccount, openNewAccount } from '../../src/accounts/manage-account.ts'
import { pagesOfAudit } from '../../src/events/audit-log.ts'
import { sealEvents } from '../../src/events/seal-events.ts'
import { verify } from '../../src/verification/verify.ts'
import { anOrganization, payer } from '../support/builders.ts'
import { createTestDatabase } from '../support/database.ts'

const { db, sql } = await createTestDatabase()
const origin = { actor: 'operator:Ada', trace_id: 'f'.repeat(32) }
const iban = payer.organization_iban
const noPayments = {
  async *payments(): AsyncGenerator<never> {
    // The bank was never asked for one.
  }
}

async function anAccount() {
  const organization_id = await anOrganization(db)
  const add = (reference: string, amount_minor: bigint) =>
    deposit(db, { organization_id, iban, reference, amount_minor }, origin)
  const lines = async () =>
    (await listTransactions(db, { organization_id, iban, before_line_no: null, limit: 10 })).map(
      ({ line, kind, amount, reference }) => [line, kind, amount, reference]
    )
  const balance = async () => (await readAccount(db, organization_id, iban))?.available
  return { organization_id, add, lines, balance }
}

describe('a deposit', () => {
  it('is a double entry, a line of the account and available at once', async () => {
    const { add, lines, balance } = await anAccount()
    const done = await add('top-up/1', 12_34n)
    assert.ok(done.outcome === 'deposited')
    const { posted_at, ...rest } = done.deposit
    assert.ok(Date.parse(posted_at))
    assert.deepEqual(rest, { reference: 'top-up/1', line: 2, amount: '12.34', currency: 'EUR' })
    assert.deepEqual(await lines(), [
      [2, 'DEPOSIT', '12.34', 'top-up/1'],
      [1, 'DEPOSIT', '100000.00', null]
    ])
    assert.equal(await balance(), '100012.34')
    assert.deepEqual((await verify(db, noPayments)).violations, [])
  })

  it('happens once for each reference, also when it is asked for many times at once', async () => {
    const { add, balance } = await anAccount()
    const done = await Promise.all(Array.from({ length: 8 }, () => add('x', 5_00n)))
    assert.deepEqual(done.map(({ outcome }) => outcome).toSorted(), [
      ...Array.from({ length: 7 }, () => 'already-done'),
      'deposited'
    ])
    assert.equal(new Set(done.map((one) => 'deposit' in one && JSON.stringify(one.deposit))).size, 1)
    assert.deepEqual(await add('x', 5_01n), { outcome: 'done-differently', amount: '5.00' })
    assert.equal((await add('y', 5_00n)).outcome, 'deposited')
    assert.equal(await balance(), '100010.00')
  })

  it('is in the audit log once, with who, in which request, before and after', async () => {
    const { organization_id, add } = await anAccount()
    await add('x', 5_00n)
    await add('x', 5_00n)
    while ((await sealEvents(db)) > 0);
    const records = []
    for await (const page of pagesOfAudit(db, { organization_id, after: 0n })) records.push(...page)
    assert.deepEqual(
      records.map(({ type, actor, trace_id, data }) => ({ type, actor, trace_id, data })),
      [
        {
          type: 'account.deposited',
          ...origin,
          data: {
            account: 'FR10...XXXX',
            reference: 'x',
            amount: '5.00',
            before: { balance: '100000.00' },
            after: { balance: '100005.00' }
          }
        }
      ]
    )
  })

  it('is refused where there is no account, and where it is closed', async () => {
    const { organization_id } = await anAccount()
    const other = { organization_id, iban: 'DE89370400440532013000', reference: 'x', amount_minor: 1n }
    assert.deepEqual(await deposit(db, other, origin), { outcome: 'unknown-account' })
    await openNewAccount(db, { ...other, bic: 'DEUTDEFF', opening_minor: 0n }, origin)
    await closeAccount(db, other, origin)
    assert.deepEqual(await deposit(db, other, origin), { outcome: 'closed' })
  })
})

describe('verify finds of a deposit', () => {
  const corruptions: [string, string, string][] = [
    ['another amount', 'update deposit set amount_minor = 501', 'its posting has another amount'],
    [
      'a missing posting',
      'delete from posting where (organization_id, account_id, line_no) in (select organization_id, account_id, line_no from deposit)',
      'there is no posting of it'
    ],
    ['a missing reference', 'delete from deposit', 'nobody gave a reference for it']
  ]
  for (const [what, text, says] of corruptions)
    it(what, async () => {
      const { organization_id, add } = await anAccount()
      await add('x', 5_00n)
      const where = `${text.includes('where') ? 'and' : 'where'} organization_id = ${organization_id}`
      await sql(`begin; set local session_replication_role = replica; ${text} ${where}; commit`)
      const { violations } = await verify(db, noPayments)
      const found = violations.filter(({ subject }) =>
        new RegExp(`^deposit 2 of account \\d+ of organization ${organization_id}$`).test(subject)
      )
      assert.deepEqual(
        found.map(({ invariant, details }) => [invariant, details]),
        [['I2', says]]
      )
    })
})
