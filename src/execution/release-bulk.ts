import type { Context } from '../context.ts'
import { statement } from '../database/statement.ts'
import { readBulk } from '../transfers/read-bulk.ts'
import { releaseHold } from './hold.ts'

type Status = NonNullable<Awaited<ReturnType<typeof readBulk>>>

export type Release =
  { outcome: 'released'; status: Status; released_now: number } | { outcome: 'not-found' | 'not-held' }

const findBulkToRelease = statement(
  'find-bulk-to-release',
  { organization_id: 'int4', request_id: 'uuid' },
  { bulk_no: 'int8', was_held: 'bool' },
  `select b.bulk_no, coalesce(v.held, false) as was_held
   from bulk b left join payee_verification v using (organization_id, bulk_no)
   where b.organization_id = :organization_id and b.request_id = :request_id`
)

/**
 * The payer confirms the payees of a bulk that was held for them, and it goes on, unless something else holds it.
 * Who did that is recorded. Repeating it is harmless; a bulk that never was held, or was cancelled, refuses.
 */
export async function releaseBulk(
  context: Context,
  organizationId: number,
  bulkId: string
): Promise<Release> {
  const bulk = { organization_id: organizationId, request_id: bulkId }
  const [found] = await findBulkToRelease(context.db, bulk)
  if (!found) return { outcome: 'not-found' }
  if (!found.was_held) return { outcome: 'not-held' }
  const { bulk_no } = found
  const held = { organization_id: organizationId, account_id: null, bulk_no }
  const by = { ...context.origin, cause: 'payees' } as const
  const released = await releaseHold(context.db, held, by)
  const status = await readBulk(context.db, organizationId, bulkId)
  if (status === null) return { outcome: 'not-found' }
  if (released === null && status.stopped_at !== null) return { outcome: 'not-held' }
  return { outcome: 'released', status, released_now: released?.resumed ?? 0 }
}
