import assert from 'node:assert/strict'
import { it } from 'node:test'
import { verify } from '../../src/verification/verify.ts'
import { testCorruptions } from './corruption.ts'
import { aLog, corrupt, makeHistory } from './history.ts'

testCorruptions('a corrupted state', [
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
    what: 'I7: a guard that lets everything pass',
    sql: () => `
      create or replace function guard_chunk() returns trigger language plpgsql as $$ begin return new; end $$`,
    reported: () => ['I7 function guard_chunk'],
    says: /it is not what the migrations made/
  },
  {
    what: 'I7: a guard of two',
    sql: () => 'drop index incident_open',
    reported: () => ['I7 unique index incident_open on incident'],
    says: /nothing keeps a second row out/
  },
  {
    what: 'I7: a rule of how bulks end that is not ours',
    sql: () => `
      create or replace function final_bulk_status(transfer_count int4, executed_count int4, failed_count int4)
      returns bulk_status language sql immutable parallel safe
      return case when executed_count = 0 and failed_count = 0 then 'FAILED'::bulk_status
                  when executed_count = transfer_count then 'COMPLETED'::bulk_status
                  when executed_count > 0 then 'PARTIALLY_COMPLETED'::bulk_status else 'FAILED'::bulk_status end`,
    reported: () => Array<string>(3).fill('I7 function final_bulk_status'),
    says: /it makes a bulk of 2 transfers, 0 executed and 0 failed, FAILED/
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
      select organization_id, bulk_no, seq, 2, 'UNKNOWN', 'timeout', recorded_at + interval '2 minutes'
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
      `I8 ${h.executed.name}`,
      `I9 ${h.executed.name}`
    ],
    says: /it is COMPLETED, but its time of completion is not set/
  }
])

it('reports up to a limit', async () => {
  const history = await makeHistory()
  await corrupt(history, 'update chunk set epoch = 0')
  const { violations } = await verify(history.database.db, aLog(history.log), { maxViolations: 2 })
  assert.equal(violations.length, 2)
})
