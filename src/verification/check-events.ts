import { statement } from '../database/statement.ts'
import { operatorsLog } from '../events/record-act.ts'
import { check, listFaults, nameBulk, type Check } from './violation.ts'

const selectBrokenLinks = statement(
  'verify-event-chain',
  { row_limit: 'int4' },
  { organization_id: 'int4', position: 'int8', previous: 'int8', right_hash: 'bool' },
  `with link as (
     select organization_id, position, coalesce(lag(position) over chain, 0) as previous,
            hash = next_hash(coalesce(lag(hash) over chain, ''), event_content(e)) as right_hash
     from event e where position is not null
     window chain as (partition by organization_id order by position)
   )
   select * from link where position <> previous + 1 or not right_hash
   order by organization_id, position limit :row_limit`
)

const checkChain = check(selectBrokenLinks, (row) => ({
  invariant: 'I10',
  subject: `event ${row.position} of ${nameLog(row.organization_id)}`,
  details: listFaults({
    [`the event before it has the position ${row.previous}`]: row.position !== row.previous + 1n,
    'its hash is not that of its content and of the event before it': !row.right_hash
  })
}))

function nameLog(organizationId: number): string {
  return organizationId === operatorsLog ? "the operators' log" : `organization ${organizationId}`
}

const selectUntold = statement(
  'verify-events-of-bulks',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_id: 'uuid',
    ended: 'int4',
    told_ended: 'int8',
    completed: 'bool',
    accepted_told: 'int8',
    completed_told: 'int8',
    same_end: 'bool'
  },
  // Bulks that were accepted before there were events are told of from then on: their beginning is missing.
  `with told as (
     select e.organization_id, e.bulk_no,
            count(*) filter (where type = 'bulk.accepted') as accepted_told,
            count(*) filter (where type = 'bulk.completed') as completed_told,
            coalesce(sum(i.ended) filter (where type = 'transfers.settled'), 0)::int8 as told_ended,
            (array_agg(data) filter (where type = 'bulk.completed'))[1] as final_data
     from event e cross join lateral (
       select coalesce(sum(jsonb_array_length(item -> 'indexes')), 0) as ended
       from jsonb_array_elements(e.data -> 'items') as item
     ) i
     where type in ('bulk.accepted', 'bulk.completed', 'transfers.settled')
     group by 1, 2
   ), pair as (
     select organization_id, b.request_id as bulk_id, b.executed_count + b.failed_count + b.cancelled_count as ended,
            coalesce(t.told_ended, 0) as told_ended, b.completed_at is not null as completed,
            coalesce(t.accepted_told, 0) as accepted_told, coalesce(t.completed_told, 0) as completed_told,
            coalesce(b.completed_at is null or t.final_data - array['version', 'returned']
                       = bulk_facts(b) - array['version', 'returned'], false) as same_end
     from bulk b left join told t using (organization_id, bulk_no)
     where b.bulk_no >= (select min(bulk_no) from event where type = 'bulk.accepted')
   )
   select * from pair
   where accepted_told <> 1 or completed_told <> completed::int or told_ended <> ended or not same_end
   limit :row_limit`
)

const checkBulks = check(selectUntold, (row) => ({
  invariant: 'I9',
  subject: nameBulk(row),
  details: listFaults({
    [`this many events tell of its acceptance: ${row.accepted_told}`]: row.accepted_told !== 1n,
    [`it is ${row.completed ? '' : 'not '}final, and this many events tell of its end: ${row.completed_told}`]:
      row.completed_told !== (row.completed ? 1n : 0n),
    [`${row.ended} of its transfers have ended, events tell of ${row.told_ended}`]:
      BigInt(row.ended) !== row.told_ended,
    'what was told of its end is not what it is': row.completed_told === 1n && !row.same_end
  })
}))

/** I9 and I10: everything was told, in one order that nobody changed afterwards. */
export const eventChecks: Record<string, Check> = {
  'chain of events': checkChain,
  'events of bulks': checkBulks
}
