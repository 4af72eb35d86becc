import { testCorruptions } from './corruption.ts'
import type { History } from './history.ts'

/** The evidence of a bulk of two, both of whom match but for what is given. */
const evidence = (
  { pending, organization_id }: History,
  change: { results?: string; names?: string; held?: boolean }
) =>
  `insert into payee_verification (organization_id, bulk_no, checked_at, held, results, suggested_names)
   values (${organization_id}, ${pending.bulk_no}, now(), ${change.held ?? false}, '${change.results ?? 'MM'}',
           ${change.names === undefined ? 'null' : `'${change.names}'`});`

const hold = ({ pending, organization_id }: History) =>
  `insert into hold (organization_id, bulk_no, cause, held_by, reason)
   values (${organization_id}, ${pending.bulk_no}, 'payees', 'bulkhead', 'payees to be confirmed');`

const reported = (h: History) => [`I7 ${h.pending.name}`]

testCorruptions('a corrupted check of payees', [
  {
    what: 'I7: a result too few',
    sql: (h) => evidence(h, { results: 'M' }),
    reported,
    says: /not as many results of the payee check as transfers/
  },
  {
    what: 'I7: a name for a payee who matches',
    sql: (h) => evidence(h, { results: 'CM', names: '{"1": "Jane"}' }),
    reported,
    says: /a name was suggested for a payee that is no close match/
  },
  {
    what: 'I7: a name for nobody',
    sql: (h) => evidence(h, { results: 'CM', names: '{"0": "Jane", "x": "Jim"}' }),
    reported,
    says: /a name was suggested for a payee that is no close match/
  },
  {
    what: 'I7: to be confirmed, and not held',
    sql: (h) => evidence(h, { results: 'NM', held: true }),
    reported,
    says: /its payees are to be confirmed, and it was never held/
  },
  {
    what: 'I7: held for nothing',
    sql: (h) => evidence(h, {}) + hold(h),
    reported,
    says: /it was held for its payees, and none is to be confirmed/
  },
  {
    what: 'I7: sent without the word of the payer',
    sql: (h) =>
      `${evidence(h, { results: 'NM', held: true })}${hold(h)}
       update chunk set status = 'PROCESSING', epoch = 1, worker = 'test' where bulk_no = ${h.pending.bulk_no};
       update bulk set status = 'PROCESSING' where bulk_no = ${h.pending.bulk_no}`,
    reported,
    says: /it was sent, and nobody has confirmed its payees/
  }
])
