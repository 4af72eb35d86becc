import assert from 'node:assert/strict'
import { it } from 'node:test'
import { verify } from '../../src/verification/verify.ts'
import { testCorruptionsOf } from './corruption.ts'
import { aLog } from './history.ts'
import { makeLaterHistory, type LaterHistory } from './later-history.ts'

const openOtherAccount = `
  insert into account (organization_id, account_id, kind, iban, bic, currency) overriding system value
  select organization_id, 99, 'CUSTOMER', 'DE89370400440532013000', 'DEUTDEFFXXX', 'EUR' from organization;`
const otherAccount = (h: LaterHistory) => `account 99 of organization ${h.organization_id}`

it('finds nothing wrong in what came after the end', async () => {
  const history = await makeLaterHistory()
  const { violations } = await verify(history.database.db, aLog(history.log))
  assert.deepEqual(violations, [])
})

testCorruptionsOf(makeLaterHistory, 'a corrupted return', [
  {
    what: 'I4: a return that was forgotten after it was posted',
    sql: () => 'delete from transfer_return',
    reported: (h) => [`I4 ${h.executed.transfer(0)}`, `I4 ${h.executed.transfer(0)}`],
    says: /it was not returned, but 40\.00 EUR were posted as its return/
  },
  {
    what: 'I4: a return that was not posted',
    sql: () => `delete from posting where kind = 'RETURN'`,
    reported: (h) => [`I2 ${h.account}`, `I4 ${h.executed.transfer(0)}`, `I8 ${h.executed.name}`],
    says: /it was returned and has 0 RETURN postings, not one/
  },
  {
    what: 'I4: a return that was posted twice',
    sql: () => `
      insert into posting (organization_id, account_id, line_no, counter_account_id, amount_minor, kind, bulk_no, seq)
      select organization_id, account_id, line_no + 1, counter_account_id, amount_minor, kind, bulk_no, seq
      from posting where kind = 'RETURN'`,
    reported: (h) => [`I2 ${h.account}`, `I4 ${h.executed.transfer(0)}`, `I8 ${h.executed.name}`],
    says: /it was returned and has 2 RETURN postings, not one/
  },
  {
    what: 'I4: more came back than was sent',
    sql: () => 'update transfer_return set amount_minor = 10001',
    reported: (h) => [`I4 ${h.executed.transfer(0)}`, `I4 ${h.executed.transfer(0)}`],
    says: /100\.01 EUR of it were returned, 100\.00 EUR were executed; 100\.01 EUR were returned, and 40\.00 EUR posted/
  },
  {
    what: 'I4: a return of what never left',
    sql: (h) => `update transfer_return set bulk_no = ${h.mixed.bulk_no}, seq = 1`,
    reported: (h) => [
      `I4 ${h.executed.transfer(0)}`,
      `I4 ${h.executed.transfer(0)}`,
      `I4 ${h.mixed.transfer(1)}`
    ],
    says: /it was returned, but it is not EXECUTED/
  },
  {
    what: 'I4: money that came back to another account',
    sql: () => `${openOtherAccount}
      update posting set account_id = 99 where kind = 'RETURN'`,
    reported: (h) => [`I2 ${h.account}`, `I2 ${otherAccount(h)}`, `I4 ${h.executed.transfer(0)}`],
    says: /it was returned to another account than that of its bulk/
  },
  {
    what: 'I5: a return whose bulk is not there',
    sql: () => 'update transfer_return set bulk_no = 999',
    reported: (h) => [
      `I4 ${h.executed.transfer(0)}`,
      `I4 ${h.executed.transfer(0)}`,
      `I5 bulk number 999 of organization ${h.organization_id}`
    ],
    says: /it does not exist, but has rows of transfer_return: 1/
  }
])

testCorruptionsOf(makeLaterHistory, 'a corrupted retry', [
  {
    what: 'I7: a retry of what was executed',
    sql: () => 'update transfer_retry set seq = 0',
    reported: (h) => [`I7 ${h.mixed.transfer(0)}`],
    says: /it was retried, but it is EXECUTED, not FAILED; .+ another amount or payee/
  },
  {
    what: 'I7: a retry to another payee',
    sql: (h) =>
      `update transfer set counterparty_iban = 'NL91ABNA0417164300' where bulk_no = ${h.retry.bulk_no}`,
    reported: (h) => [`I7 ${h.mixed.transfer(1)}`],
    says: /^what was sent instead of it has another amount or payee, or is not there$/
  },
  {
    what: 'I7: a retry of another bulk',
    sql: (h) => `update bulk set retry_of = ${h.executed.bulk_no} where bulk_no = ${h.retry.bulk_no}`,
    reported: (h) => [`I7 ${h.mixed.transfer(1)}`, `I7 ${h.retry.name}`],
    says: /^the bulk of its retry is not a retry of its bulk$/
  },
  {
    what: 'I7: a transfer that retries nothing',
    sql: () => 'delete from transfer_retry',
    reported: (h) => [`I7 ${h.retry.name}`],
    says: /retry none of the bulk that it is a retry of: 1/
  },
  {
    what: 'I7: a retry by another account',
    sql: (h) => `${openOtherAccount}
      update bulk set account_id = 99 where bulk_no = ${h.retry.bulk_no}`,
    reported: (h) => [`I2 ${h.account}`, `I2 ${otherAccount(h)}`, `I7 ${h.mixed.transfer(1)}`],
    says: /^the bulk of its retry is of another account$/
  }
])
