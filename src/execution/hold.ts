import type { Database } from '../database/database.ts'
import { isUniqueViolation } from '../database/errors.ts'
import { statement, type Tx } from '../database/statement.ts'
import { maskIban } from '../domain/account-number.ts'
import { recordAct } from '../events/record-act.ts'

/** What is held: a bulk, an account, a whole organization, or, without an organization, everything at the bank. */
export interface Held {
  organization_id: number | null
  account_id: number | null
  bulk_no: bigint | null
}

/** Why: an operator's order, or payees that the payer has to confirm. Each is ended by whoever it belongs to. */
type HoldCause = 'order' | 'payees'

/**
 * Whether something holds the transfers of a chunk `c` of a bulk. Nearly always no hold is active, and the index of
 * active holds is empty.
 */
export const isHeld = `exists (
  select from hold h
  where h.released_at is null
    and (h.organization_id is null
         or (h.organization_id = c.organization_id
             and (h.bulk_no is null or h.bulk_no = c.bulk_no)
             and (h.account_id is null
                  or h.account_id = (select account_id from bulk b
                                     where (b.organization_id, b.bulk_no) = (c.organization_id, c.bulk_no))))))`

/** Who holds or releases, and in which request, if it was one. */
interface Actor {
  actor: string
  trace_id?: string | null
}

const insertHold = statement(
  'insert-hold',
  { organization_id: 'int4?', account_id: 'int4?', bulk_no: 'int8?', held_by: 'text', reason: 'text' },
  { hold_no: 'int8' },
  `insert into hold (organization_id, account_id, bulk_no, held_by, reason)
   values (:organization_id, :account_id, :bulk_no, :held_by, :reason) returning hold_no`
)

const describeHeld = statement(
  'describe-held',
  { organization_id: 'int4?', account_id: 'int4?', bulk_no: 'int8?' },
  { iban: 'text?', bulk_id: 'uuid?' },
  `select (select iban from account where (organization_id, account_id) = (:organization_id, :account_id)) as iban,
          (select request_id from bulk where (organization_id, bulk_no) = (:organization_id, :bulk_no)) as bulk_id`
)

/** Held chunks are due at the end of time, so that claims do not pass them over again and again. Locks them in order. */
const deferChunks = statement(
  'defer-held-chunks',
  { organization_id: 'int4?', account_id: 'int4?', bulk_no: 'int8?' },
  { transfers: 'int4' },
  `with held as (
     select c.organization_id, c.bulk_no, c.chunk_no from chunk c
     where c.due_at is not null and c.status = 'PENDING'
       and (:organization_id is null or c.organization_id = :organization_id)
       and (:bulk_no is null or c.bulk_no = :bulk_no)
       and (:account_id is null or :account_id = (
              select account_id from bulk b where (b.organization_id, b.bulk_no) = (c.organization_id, c.bulk_no)))
     order by c.organization_id, c.bulk_no, c.chunk_no for update of c
   )
   update chunk c set due_at = '9999-12-31'
   from held h where (c.organization_id, c.bulk_no, c.chunk_no) = (h.organization_id, h.bulk_no, h.chunk_no)
   returning cardinality(c.seqs) as transfers`
)

/**
 * Two that release different holds of the same chunks at once would each see the other's as active, and nobody would
 * make the chunks due again. Releases wait for each other, until their commits.
 */
const lockReleases = statement(
  'lock-releases',
  {},
  { locked: 'text?' },
  `select pg_advisory_xact_lock(hashtext('bulkhead.release-hold'))::text as locked`
)

const endHold = statement(
  'end-hold',
  { organization_id: 'int4?', account_id: 'int4?', bulk_no: 'int8?', cause: 'text', released_by: 'text' },
  { hold_no: 'int8' },
  `update hold set released_at = now(), released_by = :released_by
   where released_at is null and cause = :cause
     and (organization_id, account_id, bulk_no) is not distinct from (:organization_id, :account_id, :bulk_no)
   returning hold_no`
)

/** Chunks that were held and are held no more are due at once. */
const resumeChunks = statement(
  'resume-chunks',
  { organization_id: 'int4?', bulk_no: 'int8?' },
  { transfers: 'int4' },
  `with held as (
     select c.organization_id, c.bulk_no, c.chunk_no from chunk c
     where c.due_at = '9999-12-31' and c.status = 'PENDING'
       and (:organization_id is null or c.organization_id = :organization_id)
       and (:bulk_no is null or c.bulk_no = :bulk_no)
       and not ${isHeld}
     order by c.organization_id, c.bulk_no, c.chunk_no for update of c
   )
   update chunk c set due_at = now()
   from held h where (c.organization_id, c.bulk_no, c.chunk_no) = (h.organization_id, h.bulk_no, h.chunk_no)
   returning cardinality(c.seqs) as transfers`
)

/**
 * Holds something: from the commit on nothing of it is claimed that was not sent, and but for bulks and the bank
 * nothing more is accepted. What is claimed already goes on; what may have been sent is asked about, not sent again.
 * Returns how many transfers wait for the release, or null if it is held already.
 */
export async function placeHold(
  db: Database,
  held: Held,
  by: Actor & { reason: string }
): Promise<{ waiting: number } | null> {
  try {
    return await db.transaction(async (tx) => {
      await insertHold(tx, { ...held, held_by: by.actor, reason: by.reason })
      const waiting = count(await deferChunks(tx, held))
      await record(tx, held, by, { type: 'hold.placed', transfers: waiting })
      return { waiting }
    })
  } catch (error) {
    if (isUniqueViolation(error, 'hold_active')) return null
    throw error
  }
}

/** Ends a hold; what nothing else holds goes on at once. Returns how many transfers do, or null if it was not held. */
export async function releaseHold(
  db: Database,
  held: Held,
  by: Actor & { cause?: HoldCause }
): Promise<{ resumed: number } | null> {
  return db.transaction(async (tx) => {
    await lockReleases(tx, {})
    const [ended] = await endHold(tx, { ...held, cause: by.cause ?? 'order', released_by: by.actor })
    if (!ended) return null
    const { organization_id, bulk_no } = held
    const resumed = count(await resumeChunks(tx, { organization_id, bulk_no }))
    const type = by.cause === 'payees' ? 'payees.released' : 'hold.released'
    await record(tx, held, by, { type, transfers: resumed })
    return { resumed }
  })
}

async function record(
  tx: Tx,
  { organization_id, account_id, bulk_no }: Held,
  { actor, trace_id }: Actor,
  { type, transfers }: { type: 'hold.placed' | 'hold.released' | 'payees.released'; transfers: number }
): Promise<void> {
  const [held] = await describeHeld(tx, { organization_id, account_id, bulk_no })
  const { iban = null, bulk_id = null } = held ?? {}
  const isPlaced = type === 'hold.placed'
  const data = {
    account: iban === null ? null : maskIban(iban),
    bulk_id,
    transfers,
    before: { hold: isPlaced ? null : 'active' },
    after: { hold: isPlaced ? 'active' : null }
  }
  await recordAct(tx, { actor, trace_id: trace_id ?? null }, { organization_id, type, data })
}

/** Ends the hold of a bulk that is cancelled: nobody has to confirm its payees any more. */
export async function endHoldOfPayees(
  tx: Tx,
  bulk: { organization_id: number; bulk_no: bigint },
  by: { actor: string }
): Promise<void> {
  await endHold(tx, { ...bulk, account_id: null, cause: 'payees', released_by: by.actor })
}

const findBulk = statement(
  'find-bulk-to-hold',
  { organization_id: 'int4', request_id: 'uuid' },
  { bulk_no: 'int8' },
  `select bulk_no from bulk where organization_id = :organization_id and request_id = :request_id`
)

/** The number of a bulk, or null. */
export async function findBulkNo(tx: Tx, organizationId: number, bulkId: string): Promise<bigint | null> {
  const [bulk] = await findBulk(tx, { organization_id: organizationId, request_id: bulkId })
  return bulk?.bulk_no ?? null
}

const selectHolds = statement(
  'select-holds',
  {},
  {
    hold_no: 'int8',
    organization_id: 'int4?',
    iban: 'text?',
    bulk_id: 'uuid?',
    cause: 'text',
    reason: 'text',
    held_by: 'text',
    held_at: 'timestamptz'
  },
  `select h.hold_no, h.organization_id, a.iban, b.request_id as bulk_id, h.cause, h.reason, h.held_by, h.held_at
   from hold h
   left join account a using (organization_id, account_id)
   left join bulk b on (b.organization_id, b.bulk_no) = (h.organization_id, h.bulk_no)
   where h.released_at is null order by h.hold_no`
)

/** Every hold that is active, the oldest first. */
export async function listHolds(tx: Tx) {
  const rows = await selectHolds(tx, {})
  return rows.map((row) => ({
    ...row,
    cause: row.cause as HoldCause,
    hold_no: Number(row.hold_no),
    held_at: row.held_at.toISOString()
  }))
}

function count(chunks: { transfers: number }[]): number {
  return chunks.reduce((sum, { transfers }) => sum + transfers, 0)
}
