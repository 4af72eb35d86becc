import type { Tx } from '../database/statement.ts'
import { statement } from '../database/statement.ts'

const selectAudit = statement(
  'select-audit',
  { organization_id: 'int4', after: 'int8', limit: 'int4' },
  {
    position: 'int8',
    type: 'text',
    actor: 'text',
    trace_id: 'text?',
    occurred_at: 'timestamptz',
    data: 'jsonb',
    content: 'text',
    previous_hash: 'bytea?',
    hash: 'bytea'
  },
  `select position, type, actor, trace_id, occurred_at, data, event_content(e) as content, hash,
          (select hash from event p
           where p.organization_id = e.organization_id and p.position = e.position - 1) as previous_hash
   from event e
   where organization_id = :organization_id and position > :after
   order by position limit :limit`
)

/** A record of the audit log, as it is shown and exported. */
export interface AuditRecord {
  position: number
  type: string
  actor: string
  trace_id: string | null
  occurred_at: string
  data: unknown
  /** The very text that the hash covers, behind the hash before it. */
  content: string
  /** Empty before the first. */
  previous_hash: string
  hash: string
}

export interface AuditQuery {
  organization_id: number
  after: bigint
  limit: number
  type?: string | undefined
  actor?: string | undefined
}

/**
 * Of up to `limit` records of an organization behind a position those of a type and of an actor, in order. What is
 * looked through stays bounded, and `next_after` says where to go on, also when none is among them.
 */
export async function readAudit(tx: Tx, { type, actor, ...query }: AuditQuery) {
  const rows = await selectAudit(tx, { ...query, limit: query.limit + 1 })
  const seen = rows.slice(0, query.limit)
  return {
    data: seen
      .filter((row) => (type ?? row.type) === row.type && (actor ?? row.actor) === row.actor)
      .map(describeRecord),
    has_more: rows.length > query.limit,
    next_after: Number(seen.at(-1)?.position ?? query.after)
  }
}

/** The whole log from a position on, in pages: one is read when the one before has been taken. */
export async function* pagesOfAudit(
  tx: Tx,
  { after, ...query }: Omit<AuditQuery, 'limit'>
): AsyncGenerator<AuditRecord[]> {
  for (let place = after, more = true; more;) {
    const page = await readAudit(tx, { ...query, after: place, limit: 1000 })
    yield page.data
    place = BigInt(page.next_after)
    more = page.has_more
  }
}

function describeRecord(row: Awaited<ReturnType<typeof selectAudit>>[number]): AuditRecord {
  return {
    position: Number(row.position),
    type: row.type,
    actor: row.actor,
    trace_id: row.trace_id,
    occurred_at: row.occurred_at.toISOString(),
    data: row.data,
    content: row.content,
    previous_hash: row.previous_hash?.toString('hex') ?? '',
    hash: row.hash.toString('hex')
  }
}
