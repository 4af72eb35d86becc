import { testCorruptions } from './corruption.ts'

testCorruptions('a corrupted ledger', [
  {
    what: 'I1: a posting whose counter account belongs to nobody',
    sql: () => 'update posting set counter_account_id = 999 where line_no = 2',
    reported: (h) => [`I1 organization ${h.organization_id}`, `I1 posting 2 of ${h.account}`],
    says: /counter account 999 does not exist in this organization/
  },
  {
    what: 'I1: a posting between two currencies',
    sql: () => `
      insert into account (organization_id, kind, currency) select organization_id, 'CLEARING', 'USD' from organization;
      update posting set counter_account_id = (select max(account_id) from account) where line_no = 3`,
    reported: (h) => [
      `I1 organization ${h.organization_id}`,
      `I1 organization ${h.organization_id}`,
      `I1 posting 3 of ${h.account}`
    ],
    says: /its accounts have the currencies EUR and USD/
  },
  {
    what: 'I1: a transfer that brings money in',
    sql: () => `
      alter table posting drop constraint posting_check3;
      update posting set amount_minor = 10000 where line_no = 2`,
    reported: (h) => [
      `I1 posting 2 of ${h.account}`,
      `I2 ${h.account}`,
      `I4 ${h.executed.transfer(0)}`,
      'I7 constraint posting_check3 on posting'
    ],
    says: /a TRANSFER moves 100\.00 EUR/
  },
  {
    what: 'I2: a cent too much on an account',
    sql: () => `update account set balance_minor = balance_minor + 1 where kind = 'CUSTOMER'`,
    reported: (h) => [`I2 ${h.account}`],
    says: /^balance is 99600\.01 EUR, its postings add up to 99600\.00 EUR$/
  },
  {
    what: 'I2: a reserve that was released early',
    sql: () => `update account set reserved_minor = reserved_minor - 2500 where kind = 'CUSTOMER'`,
    reported: (h) => [`I2 ${h.account}`],
    says: /^reserved is 20\.00 EUR, its open transfers add up to 45\.00 EUR$/
  },
  {
    what: 'I2: a line that was removed from the ledger',
    sql: () => 'delete from posting where line_no = 1',
    reported: (h) => [`I2 ${h.account}`],
    says: /it counts 5 postings and has 4; its 4 postings go up to line 5: a line is missing/
  },
  {
    what: 'I4: a transfer that was posted twice',
    sql: (h) => `
      insert into posting (organization_id, account_id, line_no, counter_account_id, amount_minor, kind, bulk_no, seq)
      select organization_id, account_id, 6, counter_account_id, amount_minor, kind, bulk_no, seq
      from posting where bulk_no = ${h.executed.bulk_no} and seq = 1`,
    reported: (h) => [`I2 ${h.account}`, `I4 ${h.executed.transfer(1)}`],
    says: /it is EXECUTED and has 2 TRANSFER postings, not one/
  },
  {
    what: 'I4: money posted for a transfer that failed',
    sql: (h) => `update posting set seq = 1 where bulk_no = ${h.mixed.bulk_no}`,
    reported: (h) => [`I4 ${h.mixed.transfer(0)}`, `I4 ${h.mixed.transfer(1)}`],
    says: /it is not EXECUTED, but -100\.00 EUR were posted for it/
  },
  {
    what: 'I4: an outcome of another amount',
    sql: (h) => `update outcome set amount_minor = 9000 where (bulk_no, seq) = (${h.executed.bulk_no}, 2)`,
    reported: (h) => [
      `I4 ${h.executed.transfer(2)}`,
      `I4 ${h.executed.transfer(2)}`,
      `I8 ${h.executed.name}`
    ],
    says: /it is of 100\.00 EUR, its outcome of 90\.00 EUR/
  }
])
