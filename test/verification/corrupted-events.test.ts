import { sealEvents } from '../../src/events/seal-events.ts'
import { testCorruptionsOf } from './corruption.ts'
import { makeHistory, type History } from './history.ts'

/** The usual history, with all of its events sealed. */
async function makeToldHistory(): Promise<History> {
  const history = await makeHistory()
  while ((await sealEvents(history.database.db)) > 0);
  return history
}

const event = (position: number, { organization_id }: History) =>
  `event ${position} of organization ${organization_id}`
const settled = (h: History) => `type = 'transfers.settled' and bulk_no = ${h.executed.bulk_no}`

testCorruptionsOf(makeToldHistory, 'a corrupted chain of events', [
  {
    what: 'I10: an event that says something else than it did',
    sql: () => `update event set actor = 'somebody' where position = 2`,
    reported: (h) => [`I10 ${event(2, h)}`],
    says: /its hash is not that of its content and of the event before it/
  },
  {
    what: 'I10: an event of another time',
    sql: () => `update event set occurred_at = occurred_at - interval '1 microsecond' where position = 1`,
    reported: (h) => [`I10 ${event(1, h)}`],
    says: /its hash is not that of its content/
  },
  {
    what: 'I10: an event that is gone',
    sql: () => `delete from event where position = 2`,
    reported: (h) => [`I10 ${event(3, h)}`],
    says: /the event before it has the position 1; its hash is not/
  },
  {
    what: 'I10: an event that was put in between',
    sql: (h) => `
      update event set position = position + 1000 where position > 2;
      update event set position = position - 999 where position > 1000;
      insert into event (organization_id, type, actor, data, position, hash)
      values (${h.organization_id}, 'key.created', 'somebody', '{}', 3, sha256('x'))`,
    reported: (h) => [`I10 ${event(3, h)}`, `I10 ${event(4, h)}`],
    says: /its hash is not that of its content/
  }
])

testCorruptionsOf(makeToldHistory, 'corrupted events of a bulk', [
  {
    what: 'I9: an end that was never told',
    sql: (h) => `delete from event where type = 'bulk.completed' and bulk_no = ${h.executed.bulk_no};
                 update event set position = null, hash = null`,
    reported: (h) => [`I9 ${h.executed.name}`],
    says: /it is final, and this many events tell of its end: 0/
  },
  {
    what: 'I9: an end that was told of a bulk that goes on',
    sql: (h) => `update event set position = null, hash = null;
      insert into event (organization_id, bulk_no, version, type, actor, data)
      select organization_id, bulk_no, version, 'bulk.completed', 'bulkhead', '{}' from bulk where bulk_no = ${h.mixed.bulk_no}`,
    reported: (h) => [`I9 ${h.mixed.name}`],
    says: /it is not final, and this many events tell of its end: 1/
  },
  {
    what: 'I9: an acceptance that was never told',
    sql: (h) => `delete from event where type = 'bulk.accepted' and bulk_no = ${h.mixed.bulk_no};
                 update event set position = null, hash = null`,
    reported: (h) => [`I9 ${h.mixed.name}`],
    says: /this many events tell of its acceptance: 0/
  },
  {
    what: 'I9: ends of transfers that were never told',
    sql: (h) => `delete from event where ${settled(h)};
                 update event set position = null, hash = null`,
    reported: (h) => [`I9 ${h.executed.name}`],
    says: /3 of its transfers have ended, events tell of 0/
  },
  {
    what: 'I9: another end than the one that was',
    sql: (
      h
    ) => `update event set data = jsonb_set(data, '{executed,amount}', '"1.00"'), position = null, hash = null
                 where type = 'bulk.completed' and bulk_no = ${h.executed.bulk_no};
                 update event set position = null, hash = null`,
    reported: (h) => [`I9 ${h.executed.name}`],
    says: /what was told of its end is not what it is/
  }
])
