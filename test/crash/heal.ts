import { parseTransferId } from '../../src/domain/reference.ts'
import { resolveTransfer } from '../../src/execution/notices.ts'
import { createTestContext } from '../support/context.ts'
import type { Installation } from './run.ts'
import { isContradicted, mayEndAs, needsOperator } from './workload.ts'

export interface ListedTransfer {
  transfer_id: string
  index: number
  amount: string
  counterparty_iban: string
  description: string
  status: string
  retry_of: string | null
  retried_as: string | null
  returned: { amount: string } | null
}

/** The transfers of a bulk as the API tells them. */
export async function listTransfers({ client }: Installation, id: string): Promise<ListedTransfer[]> {
  const answer = await client.get(`/transfers/bulk/${id}/transfers?limit=1000`)
  return (answer.body as { data: ListedTransfer[] }).data
}

export interface ListedIncident {
  kind: string
  subject: string
}

export async function listIncidents({ client }: Installation): Promise<ListedIncident[]> {
  const answer = await client.get('/incidents?limit=1000')
  return (answer.body as { data: ListedIncident[] }).data
}

/** Ends by an operator's word what the bank never will, once it is UNKNOWN. */
export async function resolveByOperator(installation: Installation): Promise<void> {
  const context = createTestContext(installation.database)
  const open = await installation.database.sql<{ transfer_id: string }>(
    `select b.bulk_reference || '-' || t.seq as transfer_id
     from chunk c join bulk b using (organization_id, bulk_no) join transfer t using (organization_id, bulk_no)
     where c.due_at is not null and c.status = 'UNKNOWN' and t.seq = any (c.seqs) and t.description = $1`,
    [needsOperator]
  )
  for (const { transfer_id } of open)
    await resolveTransfer(context, parseTransferId(transfer_id)!, {
      status: 'FAILED',
      reason_code: 'MS03',
      operator: 'A. Person',
      evidence: 'It is on no statement, and the bank says so by letter.'
    })
}

/** Whether every transfer has an end that it may have, and every contradiction its incident. */
export async function isInOrder(installation: Installation): Promise<boolean> {
  const { story } = installation
  const lists = await Promise.all(
    story.accepted.map(async ({ bulk }) => ({
      bulk,
      listed: await listTransfers(installation, bulk.request_id)
    }))
  )
  if (
    !lists.every(({ bulk, listed }) =>
      listed.every(({ index, status }) => mayEndAs(bulk, index).includes(status))
    )
  )
    return false
  const contradicted = lists.flatMap(({ listed }) => listed.filter(isContradicted))
  return (await listIncidents(installation)).length >= contradicted.length
}
