import type { NamedQuery, Tx } from '../../src/database/statement.ts'
import type { World } from './world.ts'

interface OpenTransfer {
  reference: string
  status: string
  due_in_ms: number
}

/** Nobody asks the bank less often about a transfer whose end is not known. */
const longestInquiryMs = 300_000

const openTransfers = {
  name: 'find-open-transfers',
  text: `select bulk_reference || '-' || seq as reference, c.status::text,
                (extract(epoch from due_at - now()) * 1000)::float8 as due_in_ms
         from chunk c join bulk using (organization_id, bulk_no) cross join unnest(seqs) as s (seq)
         where due_at is not null order by 1`,
  values: []
}
const openTasks = {
  name: 'count-open-tasks',
  text: `select (select count(*) from notice where due_at is not null)::int4 as notices,
                (select count(*) from transfer_return)::int4 as returns,
                (select count(*) from incident where kind = 'overdue-work' and resolved_at is null)::int4 as overdue`,
  values: []
}

/** Whether every transfer has ended that can, every notice is settled and every return booked. */
export async function isSettled(world: World): Promise<boolean> {
  const { bank, callbacks, database } = world
  if (!bank.hasReturnedAll || !callbacks.areDone) return false
  const open = await find<OpenTransfer>(database, openTransfers)
  if (!open.every((transfer) => mayStayOpen(world, transfer))) return false
  const [tasks] = await find<{ notices: number; returns: number; overdue: number }>(database, openTasks)
  return tasks?.notices === 0 && tasks.returns === bank.returns.size && tasks.overdue === 0
}

/** What is not settled, in a line for people. */
export async function describeOpen({ bank, database }: World): Promise<string> {
  const open = await find<OpenTransfer>(database, openTransfers)
  const [tasks] = await find(database, openTasks)
  const left = open.map(({ reference, status, due_in_ms }) => `${reference} ${status} due in ${due_in_ms} ms`)
  return `open: ${left.join(', ')}; ${JSON.stringify(tasks)}, the bank returned ${bank.returns.size}`
}

/** Whether a transfer is right to be open although all is well again: the bank never tells what became of it. */
function mayStayOpen({ bank }: World, { reference, status, due_in_ms }: OpenTransfer): boolean {
  const isAsked = ['UNKNOWN', 'SENT'].includes(status) && due_in_ms <= longestInquiryMs
  return isAsked && bank.keepsSilentAbout(reference)
}

async function find<Row>(tx: Tx, query: NamedQuery): Promise<Row[]> {
  const { rows } = await tx.query(query)
  return rows as Row[]
}
