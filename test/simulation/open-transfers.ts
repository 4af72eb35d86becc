import type { Tx } from '../../src/database/statement.ts'
import type { World } from './world.ts'

export interface OpenTransfer {
  reference: string
  status: string
}

/** Every transfer that has not ended. */
export async function findOpenTransfers(tx: Tx): Promise<OpenTransfer[]> {
  const { rows } = await tx.query({
    name: 'find-open-transfers',
    text: `select bulk_reference || '-' || seq as reference, c.status::text
           from chunk c join bulk using (organization_id, bulk_no) cross join unnest(seqs) as s (seq)
           where due_at is not null order by 1`,
    values: []
  })
  return rows as OpenTransfer[]
}

/**
 * Whether a transfer is right to be open although all is well again: it got lost on the way to a bank that would pay
 * twice if it were sent twice. Then only a person can end it.
 */
export function mayStayOpen(world: World, { reference, status }: OpenTransfer): boolean {
  return status === 'UNKNOWN' && !world.options.idempotent_submit && !world.bank.knows(reference)
}
