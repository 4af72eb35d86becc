import type { Tx } from '../database/statement.ts'
import { statement } from '../database/statement.ts'
import { isTold, type EventType } from './event-types.ts'

const selectEvents = statement(
  'select-events',
  { organization_id: 'int4', after: 'int8', limit: 'int4' },
  {
    position: 'int8',
    type: 'text',
    version: 'int4?',
    actor: 'text',
    trace_id: 'text?',
    occurred_at: 'timestamptz',
    data: 'jsonb',
    hash: 'bytea'
  },
  `select position, type, version, actor, trace_id, occurred_at, data, hash from event
   where organization_id = :organization_id and position > :after
   order by position limit :limit`
)
type EventRow = Awaited<ReturnType<typeof selectEvents>>[number]

/**
 * Of up to `limit` events of an organization behind a position those that are told, or those of a type, in order: what
 * is looked through stays bounded, and `next_after` says where to go on, also when none is among them.
 */
export async function listEvents(
  tx: Tx,
  query: { organization_id: number; after: bigint; limit: number; type: EventType | null }
) {
  const { organization_id, after, limit, type } = query
  const rows = await selectEvents(tx, { organization_id, after, limit: limit + 1 })
  const seen = rows.slice(0, limit)
  return {
    data: seen.filter((row) => (type === null ? isTold(row.type) : row.type === type)).map(describeEvent),
    has_more: rows.length > limit,
    next_after: Number(seen.at(-1)?.position ?? after)
  }
}

function describeEvent(row: EventRow) {
  return {
    position: Number(row.position),
    type: row.type as EventType,
    version: row.version,
    // An organization need not know the names of those who run the installation.
    actor: row.actor.startsWith('operator:') ? 'operator' : row.actor,
    trace_id: row.trace_id,
    occurred_at: row.occurred_at.toISOString(),
    data: row.data as Record<string, unknown>,
    hash: row.hash.toString('hex')
  }
}
