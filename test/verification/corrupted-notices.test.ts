import { testCorruptionsOf } from './corruption.ts'
import { makeLaterHistory } from './later-history.ts'

testCorruptionsOf(makeLaterHistory, 'a corrupted notice', [
  {
    what: 'I5: told of a transfer that is not there',
    sql: () => `update notice set seq = 9 where status = 'RETURNED'`,
    reported: (h) => [`I5 ${h.executed.transfer(9)}`],
    says: /by callback it was told to be RETURNED, but there is no such transfer/
  },
  {
    what: 'I5: told of a bulk that is not there',
    sql: () => 'update notice set bulk_no = 999',
    reported: (h) => [`I5 bulk number 999 of organization ${h.organization_id}`],
    says: /it does not exist, but has rows of notice: 2/
  },
  {
    what: 'I4: told with another amount',
    sql: () => `update notice set amount_minor = 10001 where status = 'RETURNED'`,
    reported: (h) => [`I4 ${h.executed.transfer(0)}`],
    says: /by callback it was told to be RETURNED with 100\.01 EUR, it is of 100\.00 EUR/
  },
  {
    what: 'I4: contradicted, and nobody learns of it',
    sql: () => `update incident set kind = 'overdue-work'`,
    reported: (h) => [`I4 ${h.executed.transfer(1)}`],
    says: /by callback it was told to be FAILED, it is EXECUTED, and no incident tells of that/
  },
  {
    what: 'I4: settled although the transfer is open',
    sql: (h) => `
      insert into notice (organization_id, bulk_no, seq, source, notice_id, status, amount_minor, due_at)
      values (${h.organization_id}, ${h.mixed.bulk_no}, 2, 'callback', 'early', 'EXECUTED', 2500, null)`,
    reported: (h) => [`I4 ${h.mixed.transfer(2)}`],
    says: /by callback it was told to be EXECUTED, it is open, and no incident tells of that/
  },
  {
    what: 'I4: told to be what nobody can tell',
    sql: () => `update notice set status = 'CANCELLED' where status = 'FAILED'`,
    reported: (h) => [`I4 ${h.executed.transfer(1)}`],
    says: /by callback it was told to be CANCELLED, which nobody can tell/
  }
])

testCorruptionsOf(makeLaterHistory, 'a corrupted line of the statement', [
  {
    what: 'I5: of a transfer that is not there',
    sql: () => `update statement_entry set seq = 9 where kind = 'RETURN'`,
    reported: (h) => [`I5 ${h.executed.transfer(9)}`],
    says: /the bank's statement was taken to have a RETURN of it, but there is no such transfer/
  },
  {
    what: 'I5: of a bulk that is not there',
    sql: () => `update statement_entry set bulk_no = 999 where kind = 'RETURN'`,
    reported: (h) => [`I5 bulk number 999 of organization ${h.organization_id}`],
    says: /it does not exist, but has rows of statement_entry: 1/
  },
  {
    what: 'I4: of another amount',
    sql: () => `update statement_entry set amount_minor = 9999 where (seq, kind) = (2, 'DEBIT')`,
    reported: (h) => [`I4 ${h.executed.transfer(2)}`],
    says: /it is of 100\.00 EUR, its DEBIT on the bank's statement of 99\.99 EUR/
  }
])
