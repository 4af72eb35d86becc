import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { verify } from '../../src/verification/verify.ts'
import { aLog, corrupt, makeHistory, named, type History } from './history.ts'

interface Corruption {
  what: string
  sql: (history: History) => string
  /** Everything that is reported, no more and no less. */
  reported: (history: History) => string[]
  says: RegExp
}

const twoEntries: Corruption[] = [
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
]

const wholeBulks: Corruption[] = [
  {
    what: 'I5: a transfer that disappeared before it was sent',
    sql: (h) => `delete from transfer where (bulk_no, seq) = (${h.pending.bulk_no}, 1)`,
    reported: (h) => [
      `I2 ${h.account}`,
      `I5 ${h.pending.name}`,
      `I5 chunk 0 of ${h.pending.name}`,
      `I5 ${h.pending.transfer(1)}`
    ],
    says: /an open chunk holds it, but there is no such transfer/
  },
  {
    what: 'I5: a transfer that disappeared after it was executed',
    sql: (h) => `delete from transfer where (bulk_no, seq) = (${h.executed.bulk_no}, 2)`,
    reported: (h) => [
      `I3 payment ${h.executed.reference(2)}`,
      `I5 ${h.executed.name}`,
      `I5 chunk 1 of ${h.executed.name}`,
      `I5 ${h.executed.transfer(2)}`
    ],
    says: /it is of 3 transfers, 2 are there/
  },
  {
    what: 'I5: work that nobody will ever do',
    sql: (h) => `delete from chunk where bulk_no = ${h.pending.bulk_no}`,
    reported: (h) => [
      `I5 ${h.pending.name}`,
      `I5 ${h.pending.transfer(0)}`,
      `I5 ${h.pending.transfer(1)}`,
      `I8 ${h.pending.name}`
    ],
    says: /it has no outcome and is in no open chunk/
  },
  {
    what: 'I5: a transfer in two open chunks',
    sql: (h) => `
      insert into chunk (organization_id, bulk_no, chunk_no, due_at, open_minor, seqs)
      select organization_id, bulk_no, 1, due_at, 1000, '{1}' from chunk where bulk_no = ${h.pending.bulk_no}`,
    reported: (h) => [`I5 ${h.pending.name}`, `I5 ${h.pending.transfer(1)}`, `I8 ${h.pending.name}`],
    says: /it is in 2 open chunks/
  },
  {
    what: 'I5: a transfer that ended and is still in the work to do',
    sql: (h) => `
      insert into outcome (organization_id, bulk_no, seq, amount_minor, status)
      select organization_id, bulk_no, seq, amount_minor, 'CANCELLED'
      from transfer where (bulk_no, seq) = (${h.pending.bulk_no}, 0)`,
    reported: (h) => [`I2 ${h.account}`, `I5 ${h.pending.transfer(0)}`, `I8 ${h.pending.name}`],
    says: /it is CANCELLED and still in an open chunk/
  },
  {
    what: 'I5: a chunk that says another amount',
    sql: (h) => `update chunk set open_minor = 1 where (bulk_no, chunk_no) = (${h.executed.bulk_no}, 1)`,
    reported: (h) => [`I5 chunk 1 of ${h.executed.name}`],
    says: /it is of 0\.01 EUR, its transfers add up to 100\.00 EUR/
  },
  {
    what: 'I5: transfers whose bulk was removed',
    sql: (h) => `delete from bulk where bulk_no = ${h.pending.bulk_no}`,
    reported: (h) => {
      const orphan = `I5 bulk number ${h.pending.bulk_no} of organization ${h.organization_id}`
      return [`I2 ${h.account}`, orphan, orphan]
    },
    says: /it does not exist, but has rows of transfer: 2/
  },
  {
    what: 'I6: two bulks of one request',
    sql: (h) => `
      alter table bulk drop constraint bulk_organization_id_request_id_key;
      update bulk set request_id = (select request_id from bulk where bulk_no = ${h.executed.bulk_no})
      where bulk_no = ${h.mixed.bulk_no}`,
    reported: (h) => [
      `I6 ${h.executed.name}`,
      `I6 ${h.executed.name}`,
      'I6 unique key bulk (organization_id, request_id)'
    ],
    says: /2 bulks of its organization have its request_id/
  },
  {
    what: 'I6: a bulk whose content can no longer be compared',
    sql: (h) => `update bulk set content_hash = '\\x00' where bulk_no = ${h.pending.bulk_no}`,
    reported: (h) => [`I6 ${h.pending.name}`],
    says: /its content hash has 1 bytes, not 32/
  },
  {
    what: 'I8: a total that is not the sum of the transfers',
    sql: (h) => `update bulk set total_minor = 2001 where bulk_no = ${h.pending.bulk_no}`,
    reported: (h) => [`I5 ${h.pending.name}`, `I8 ${h.pending.name}`],
    says: /its total is 2 of 20\.01 EUR, its ended and open transfers are 2 of 20\.00 EUR/
  },
  {
    what: 'I8: an executed transfer that is counted as failed',
    sql: (h) => `
      update bulk set executed_count = 0, failed_count = 2, executed_minor = 0, failed_minor = 15000
      where bulk_no = ${h.mixed.bulk_no}`,
    reported: (h) => [`I8 ${h.mixed.name}`],
    says: /it counts 0 of 0\.00 EUR as executed, there are 1 of 100\.00 EUR/
  },
  {
    what: 'I8: a final bulk of the wrong status',
    sql: (h) => `
      alter table bulk drop constraint bulk_final_exactly_when_all_are;
      update bulk set status = 'PARTIALLY_COMPLETED' where bulk_no = ${h.executed.bulk_no}`,
    reported: (h) => ['I7 constraint bulk_final_exactly_when_all_are on bulk', `I8 ${h.executed.name}`],
    says: /it should be completed as COMPLETED; it is PARTIALLY_COMPLETED/
  }
]

const declaredStates: Corruption[] = [
  {
    what: 'I7: a guard that was switched off',
    sql: () => 'alter table outcome disable trigger append_only',
    reported: () => ['I7 trigger append_only on outcome'],
    says: /what is final could be changed/
  },
  {
    what: 'I7: a rule that is not proven for the rows that are there',
    sql: () => `
      alter table posting drop constraint posting_check;
      alter table posting add constraint posting_check check (account_id <> counter_account_id) not valid`,
    reported: () => ['I7 constraint posting_check on posting'],
    says: /does not exist or is not validated/
  },
  {
    what: 'I7: an outcome from before the bulk',
    sql: (h) => `
      update outcome set recorded_at = recorded_at - interval '1 day'
      where (bulk_no, seq) = (${h.mixed.bulk_no}, 1)`,
    reported: (h) => [`I7 ${h.mixed.transfer(1)}`],
    says: /it became FAILED at .+, before its bulk was accepted/
  },
  {
    what: 'I7: a transfer that went on after its end',
    sql: (h) => `
      insert into attempt (organization_id, bulk_no, seq, attempt_no, status, reason, recorded_at)
      select organization_id, bulk_no, seq, 2, 'UNKNOWN', 'timeout', recorded_at + interval '1 second'
      from outcome where (bulk_no, seq) = (${h.executed.bulk_no}, 0)`,
    reported: (h) => [`I7 ${h.executed.transfer(0)}`],
    says: /it became EXECUTED at .+ and was tried again/
  },
  {
    what: 'I7: executed without ever having been claimed',
    sql: (h) => `update chunk set epoch = 0 where (bulk_no, chunk_no) = (${h.executed.bulk_no}, 0)`,
    reported: (h) => [`I7 ${h.executed.transfer(0)}`, `I7 ${h.executed.transfer(1)}`],
    says: /it is EXECUTED, but was never claimed/
  },
  {
    what: 'I7: a PENDING bulk that is being worked on',
    sql: (h) => `update chunk set epoch = 1 where bulk_no = ${h.pending.bulk_no}`,
    reported: (h) => [`I7 ${h.pending.name}`],
    says: /it is PENDING, but work on it has begun/
  },
  {
    what: 'I7: a chunk in a state that chunks do not have',
    sql: (h) => `
      alter table chunk drop constraint chunk_status_check;
      update chunk set status = 'FAILED' where bulk_no = ${h.pending.bulk_no}`,
    reported: (h) => ['I7 constraint chunk_status_check on chunk', `I7 chunk 0 of ${h.pending.name}`],
    says: /a chunk can't be FAILED/
  },
  {
    what: 'I7 and I8: a final bulk without its time',
    sql: (h) => `
      alter table bulk drop constraint bulk_final_exactly_when_all_are;
      update bulk set completed_at = null where bulk_no = ${h.executed.bulk_no}`,
    reported: (h) => [
      `I7 ${h.executed.name}`,
      'I7 constraint bulk_final_exactly_when_all_are on bulk',
      `I8 ${h.executed.name}`
    ],
    says: /it is COMPLETED, but its time of completion is not set/
  }
]

describe('a corrupted database', () => {
  for (const corruption of [...twoEntries, ...wholeBulks, ...declaredStates])
    it(`is told by its rows: ${corruption.what}`, async () => {
      const history = await makeHistory()
      await corrupt(history, corruption.sql(history))
      const verification = await verify(history.database.db, aLog(history.log))
      assert.deepEqual(named(verification), corruption.reported(history).sort())
      assert(
        verification.violations.some(({ details }) => corruption.says.test(details)),
        JSON.stringify(verification.violations, null, 2)
      )
    })

  it('is reported up to a limit', async () => {
    const history = await makeHistory()
    await corrupt(history, 'update chunk set epoch = 0')
    const { violations } = await verify(history.database.db, aLog(history.log), { maxViolations: 2 })
    assert.equal(violations.length, 2)
  })
})
