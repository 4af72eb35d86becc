import { statement } from '../database/statement.ts'
import { check, listFaults, nameBulk, type Check } from './violation.ts'

const selectWrongClaims = statement(
  'verify-claimed-chunks',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_id: 'uuid',
    chunk_no: 'int4',
    on_failure: 'text',
    wrongly_exclusive: 'bool',
    wrongly_shared: 'bool',
    closed_with_worker: 'bool',
    claimed_beside: 'int8',
    since_future: 'bool'
  },
  // A chunk that was claimed when exclusive was introduced has stayed without it until it was recorded; one that is
  // PENDING has always had it. The time is that of this statement: now() is before what the snapshot sees.
  `with claimed as (
     select organization_id, bulk_no, count(*) as claimed_count
     from chunk where exclusive and worker is not null group by 1, 2 having count(*) > 1
   ), found as materialized (
     select organization_id, b.request_id as bulk_id, c.chunk_no, b.on_failure::text,
            c.exclusive and b.on_failure <> 'stop' as wrongly_exclusive,
            not c.exclusive and b.on_failure = 'stop' and c.status = 'PENDING' and c.due_at is not null as wrongly_shared,
            c.worker is not null and c.due_at is null as closed_with_worker,
            case when c.exclusive and c.worker is not null then coalesce(o.claimed_count - 1, 0) else 0 end as claimed_beside,
            c.since > statement_timestamp() as since_future
     from chunk c
     join bulk b using (organization_id, bulk_no)
     left join claimed o using (organization_id, bulk_no)
   )
   select * from found
   where wrongly_exclusive or wrongly_shared or closed_with_worker or claimed_beside > 0 or since_future
   limit :row_limit`
)

const checkClaims = check(selectWrongClaims, (row) => ({
  invariant: 'I7',
  subject: `chunk ${row.chunk_no} of ${nameBulk(row)}`,
  details: listFaults({
    'its bulk goes on after a failure, but it is worked on alone': row.wrongly_exclusive,
    'its bulk stops at a failure, but it may be worked on beside others': row.wrongly_shared,
    'it is closed and still has a worker': row.closed_with_worker,
    [`it is worked on alone, and beside it this many are: ${row.claimed_beside}`]: row.claimed_beside > 0n,
    'it came into its status in the future': row.since_future
  })
}))

const selectWrongStops = statement(
  'verify-stopped-bulks',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_id: 'uuid',
    failed_count: 'int4',
    cancelled_count: 'int4',
    stopped: 'bool',
    too_early: 'bool'
  },
  `select organization_id, request_id as bulk_id, failed_count, cancelled_count, stopped_at is not null as stopped,
          coalesce(stopped_at < accepted_at, false) as too_early
   from bulk
   where stopped_at < accepted_at
      or (stopped_at is null and (cancelled_count > 0 or (on_failure = 'stop' and failed_count > 0)))
   limit :row_limit`
)

/**
 * Only that what has to be stopped is: a stop by wish leaves nothing but its time when everything was under way, what
 * was under way ends as the bank says, and rows do not tell when a transfer was claimed for the first time.
 */
const checkStops = check(selectWrongStops, (row) => ({
  invariant: 'I7',
  subject: nameBulk(row),
  details: listFaults({
    'it was stopped before it was accepted': row.too_early,
    [`it was never stopped, but this many of it were cancelled: ${row.cancelled_count}`]:
      !row.stopped && row.cancelled_count > 0,
    [`it is to stop at a failure, this many of it failed, and it was not stopped: ${row.failed_count}`]:
      !row.stopped && row.cancelled_count === 0
  })
}))

/** I7 for stopping: who may work on what beside whom, and what has to be stopped is. */
export const stopChecks: Record<string, Check> = {
  'claims of chunks': checkClaims,
  'stopped bulks': checkStops
}
