import { setTimeout as sleep } from 'node:timers/promises'
import { scenarios } from '../../src/sandbox-bank/scenarios.ts'
import { until } from '../e2e/processes.ts'
import { createStubbornClient } from '../support/stubborn-client.ts'
import { judgeArrivals, judgeFeed, readFeed } from '../support/witness.ts'
import { actOnce, submitOnce, type History } from './history.ts'
import type { End, EndedTransfer, ListedIncident } from './judge.ts'
import { frontsOf, type World } from './world.ts'

/**
 * Kills a worker for good in the middle of what it has claimed, and returns after how many milliseconds nothing of it
 * was left to a dead one, because the other worker had taken it over.
 */
export async function measureTakeOver(world: World): Promise<{ took_ms: number; chunks: number }> {
  const [worker] = world.workers
  for (;;) {
    const pid = worker!.pid
    await until('the worker holds something', async () => (await findHeld(world, pid)).length > 0)
    worker!.hold()
    worker!.signal('SIGKILL')
    const killedAt = performance.now()
    await until('the worker is dead', () => !worker!.isUp)
    const held = await findHeld(world, pid)
    if (held.length === 0) {
      // It was quicker: all was recorded before the signal came.
      worker!.release()
      await until('the worker runs again', () => worker!.isUp)
      continue
    }
    await until('all is taken over', async () => (await findHeld(world, pid)).length === 0)
    worker!.release()
    return { took_ms: Math.round(performance.now() - killedAt), chunks: held.length }
  }
}

/** The open chunks that a process has claimed. */
function findHeld(world: World, pid: number) {
  return world.sql<{ chunk_no: number }>(
    `select chunk_no from chunk where due_at is not null and status = 'PROCESSING' and worker like '%:' || $1 || '/%'`,
    [pid]
  )
}

/** Sends again what no client has got an answer to, until it has one. */
export async function resolveUnanswered(world: World, history: History): Promise<number> {
  const answered = new Set(history.tries.filter(({ answer }) => answer !== null).map(({ bulk }) => bulk))
  const open = new Set(history.tries.map(({ bulk }) => bulk).filter((bulk) => !answered.has(bulk)))
  const [front = ''] = frontsOf(world)
  for (const bulk of open)
    await until('it is answered', async () => (await submitOnce(history, front, bulk)) !== null)
  const retries = history.acts.filter(({ kind }) => kind === 'retry')
  const told = new Set(retries.filter(({ answer }) => answer !== null).map(({ child_id }) => child_id))
  const untold = [...Map.groupBy(retries, ({ child_id }) => child_id).values()]
    .map(([retry]) => retry!)
    .filter(({ child_id }) => !told.has(child_id))
  for (const retry of untold)
    await until('it is answered', async () => (await actOnce(history, front, retry)) !== null)
  return open.size + untold.length
}

const returningPayees = scenarios
  .filter(({ expected_status }) => expected_status === 'RETURNED')
  .map(({ counterparty_iban }) => counterparty_iban)

interface OpenWork {
  open: number
  uncertain: number
  /** What is still to come of what is final: returns, notices that nobody looked at, alarms that are over. */
  to_come: number
}

export interface Settled {
  /** Until no transfer was anything but final or open with an inquiry to come, and until all were final. */
  decided_ms: number
  final_ms: number
}

/** Returns when every transfer is final, and what was to come back has. */
export async function settle(world: World, since_ms: number, longestMs: number): Promise<Settled> {
  let decided_ms: number | undefined
  // Housekeeping that a killed process had taken waits for five minutes; they are over.
  await world.sql('update job set due_at = now()')
  await until(
    'every transfer is final',
    async () => {
      await sleep(50)
      const [work] = await world.sql<OpenWork>(
        `select count(*)::int4 as open, count(*) filter (where status in ('UNKNOWN', 'SENT'))::int4 as uncertain,
                (select count(*) from notice where due_at is not null)::int4
                + (select count(*) from incident where resolved_at is null and kind = 'overdue-work')::int4
                + (select count(*) from outcome o join transfer t using (organization_id, bulk_no, seq)
                   left join transfer_return r using (organization_id, bulk_no, seq)
                   where o.status = 'EXECUTED' and r.seq is null and t.counterparty_iban = any ($1))::int4 as to_come
         from chunk where due_at is not null`,
        [returningPayees]
      )
      if (work?.open === work?.uncertain) decided_ms ??= Math.round(performance.now() - since_ms)
      else decided_ms = undefined
      return work?.open === 0 && work.to_come === 0
    },
    longestMs
  )
  const final_ms = Math.round(performance.now() - since_ms)
  return { decided_ms: decided_ms ?? final_ms, final_ms }
}

/** What the APIs say of everything that was ever asked for. */
export async function readEnd(world: World, history: History): Promise<End> {
  const client = createStubbornClient(() => frontsOf(world)[0])
  const bulks: End['bulks'] = new Map()
  const ids = [
    ...history.tries.map(({ bulk }) => bulk.request_id),
    ...history.acts.filter(({ kind }) => kind === 'retry').map(({ child_id }) => child_id)
  ]
  for (const id of new Set(ids)) {
    const answer = await client.get(`/transfers/bulk/${id}/transfers?limit=1000`)
    if (answer.status === 200) bulks.set(id, (answer.body as { data: EndedTransfer[] }).data)
  }
  const { data: accounts } = (await client.get('/accounts')).body as { data: End['accounts'] }
  const { data: incidents } = (await client.get('/incidents?limit=1000')).body as { data: ListedIncident[] }
  return { bulks, accounts, incidents }
}

/** Returns when the witness was told of everything; what has failed is tried again at once, and not after hours. */
export async function settleWebhooks(world: World): Promise<number> {
  const began_ms = performance.now()
  await until('every webhook is delivered', async () => {
    await sleep(200)
    await world.sql('update webhook_delivery set due_at = now() where due_at > now() and not taken')
    const [work] = await world.sql<{ open: number }>(
      `select (select count(*) from event where position is null)
                + (select count(*) from webhook_delivery where due_at is not null)
                + (select count(*) from webhook_endpoint e join event v using (organization_id)
                   where v.position > e.position) as open`
    )
    return Number(work?.open) === 0
  })
  return Math.round(performance.now() - began_ms)
}

/** What cannot be of what the witness and the feed tell, beside what GET says of each bulk. */
export async function judgeTold(world: World, { bulks }: End): Promise<string[]> {
  const client = createStubbornClient(() => frontsOf(world)[0])
  const statuses = new Map<string, Record<string, unknown>>()
  for (const id of bulks.keys())
    statuses.set(id, (await client.get(`/transfers/bulk/${id}/status`)).body as Record<string, unknown>)
  const feed = await readFeed(client.get)
  return [...judgeArrivals(world.witness, feed), ...judgeFeed(feed, statuses)]
}
