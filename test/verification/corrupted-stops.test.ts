import { testCorruptionsOf } from './corruption.ts'
import { makeLaterHistory } from './later-history.ts'

testCorruptionsOf(makeLaterHistory, 'a corrupted claim', [
  {
    what: 'I7: a chunk that is worked on alone for no reason',
    sql: (h) => `update chunk set exclusive = true where bulk_no = ${h.pending.bulk_no}`,
    reported: (h) => [`I7 chunk 0 of ${h.pending.name}`],
    says: /its bulk goes on after a failure, but it is worked on alone/
  },
  {
    what: 'I7: a chunk of a bulk that is to stop, beside others',
    sql: (h) => `update chunk set exclusive = false where (bulk_no, chunk_no) = (${h.waiting.bulk_no}, 1)`,
    reported: (h) => [`I7 chunk 1 of ${h.waiting.name}`],
    says: /its bulk stops at a failure, but it may be worked on beside others/
  },
  {
    what: 'I7: two chunks at once of a bulk that is to stop',
    sql: (h) => `
      drop index chunk_exclusive;
      update chunk set status = 'PROCESSING', epoch = 1, worker = 'test' where bulk_no = ${h.waiting.bulk_no};
      update bulk set status = 'PROCESSING' where bulk_no = ${h.waiting.bulk_no}`,
    reported: (h) => [
      `I7 chunk 0 of ${h.waiting.name}`,
      `I7 chunk 1 of ${h.waiting.name}`,
      'I7 unique index chunk_exclusive on chunk'
    ],
    says: /it is worked on alone, and beside it this many are: 1/
  },
  {
    what: 'I7: a worker on a closed chunk',
    sql: (h) => `update chunk set worker = 'test' where (bulk_no, chunk_no) = (${h.executed.bulk_no}, 1)`,
    reported: (h) => [`I7 chunk 1 of ${h.executed.name}`],
    says: /it is closed and still has a worker/
  },
  {
    what: 'I7: a chunk of tomorrow',
    sql: (h) =>
      `update chunk set since = now() + interval '1 day' where (bulk_no, chunk_no) = (${h.pending.bulk_no}, 0)`,
    reported: (h) => [`I7 chunk 0 of ${h.pending.name}`],
    says: /it came into its status in the future/
  }
])

testCorruptionsOf(makeLaterHistory, 'a corrupted stop', [
  {
    what: 'I7: cancelled, but never stopped',
    sql: (h) => `update bulk set stopped_at = null where bulk_no = ${h.stopped.bulk_no}`,
    reported: (h) => [`I7 ${h.stopped.name}`],
    says: /it was never stopped, but this many of it were cancelled: 1/
  },
  {
    what: 'I7: failed, and not stopped',
    sql: (h) => `update bulk set on_failure = 'stop' where bulk_no = ${h.mixed.bulk_no}`,
    reported: (h) => [`I7 ${h.mixed.name}`],
    says: /it is to stop at a failure, this many of it failed, and it was not stopped: 1/
  },
  {
    what: 'I7: stopped before it was there',
    sql: (h) =>
      `update bulk set stopped_at = accepted_at - interval '1 second' where bulk_no = ${h.stopped.bulk_no}`,
    reported: (h) => [`I7 ${h.stopped.name}`],
    says: /^it was stopped before it was accepted$/
  }
])
