import type { Database } from '../database/database.ts'
import { statement } from '../database/statement.ts'

/** Most events that one transaction seals. */
const mostAtOnce = 1000

const findUnsealed = statement(
  'find-unsealed-events',
  {},
  { waiting: 'bool' },
  `select exists (select from event where position is null) as waiting`
)

/** Held until the end of the transaction; whoever does not get it at once leaves the work to the other. */
const lockSealing = statement(
  'lock-sealing',
  {},
  { locked: 'bool' },
  `select pg_try_advisory_xact_lock(hashtext('bulkhead.seal-events')) as locked`
)

/**
 * Gives the oldest unsealed events the next positions of their organizations, and chains their hashes. To be run after
 * the lock and not with it: a statement that began before another sealer's commit would go on from an old head.
 */
const sealUnsealed = statement(
  'seal-events',
  { limit: 'int4' },
  { sealed: 'int4' },
  `with unsealed as materialized (
     select organization_id, event_no, event_content(e) as content
     from event e where position is null order by event_no limit :limit
   ), head as materialized (
     select o.organization_id, coalesce(last.position, 0) as position, coalesce(last.hash, '') as hash
     from (select distinct organization_id from unsealed) o
     left join lateral (
       select position, hash from event e
       where e.organization_id = o.organization_id and position is not null order by position desc limit 1
     ) last on true
   ), numbered as (
     select organization_id, event_no, head.position + row_number() over chain as position,
            chain_hash(head.hash, content) over chain as hash
     from unsealed join head using (organization_id)
     window chain as (partition by organization_id order by event_no)
   ), sealed as (
     update event e set position = n.position, hash = n.hash
     from numbered n where (e.organization_id, e.event_no) = (n.organization_id, n.event_no)
     returning 1
   )
   select count(*)::int4 as sealed from sealed`
)

/**
 * Seals committed events, at most a thousand, and tells how many. What commits late under a lower event_no gets the
 * next position all the same: a position, once seen, has none missing before it, now or later.
 */
export async function sealEvents(db: Database): Promise<number> {
  const [look] = await findUnsealed(db, {})
  if (!look?.waiting) return 0
  return db.transaction(async (tx) => {
    const [lock] = await lockSealing(tx, {})
    if (!lock?.locked) return 0
    const [done] = await sealUnsealed(tx, { limit: mostAtOnce })
    return done?.sealed ?? 0
  })
}
