import { testCorruptions } from './corruption.ts'

testCorruptions('a corrupted bulk', [
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
    reported: (h) => [
      'I7 constraint bulk_final_exactly_when_all_are on bulk',
      `I8 ${h.executed.name}`,
      `I9 ${h.executed.name}`
    ],
    says: /it should be completed as COMPLETED; it is PARTIALLY_COMPLETED/
  }
])
