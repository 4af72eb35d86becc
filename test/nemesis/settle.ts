import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../e2e/processes.ts'
import { createStubbornClient } from '../support/stubborn-client.ts'
import { submitOnce, type History } from './history.ts'
import type { End, EndedTransfer } from './judge.ts'
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
    await until('all is taken over', async () => (await findHeld(world, pid)).length === 0, 60_000)
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
  return open.size
}

interface OpenWork {
  open: number
  uncertain: number
}

export interface Settled {
  /** Until no transfer was anything but final or UNKNOWN with an inquiry to come, and until all were final. */
  decided_ms: number
  final_ms: number
}

/** Returns when every transfer is final. */
export async function settle(world: World, since_ms: number, longestMs: number): Promise<Settled> {
  let decided_ms: number | undefined
  await until(
    'every transfer is final',
    async () => {
      await sleep(50)
      const [work] = await world.sql<OpenWork>(
        `select count(*)::int4 as open, count(*) filter (where status = 'UNKNOWN')::int4 as uncertain
         from chunk where due_at is not null`
      )
      if (work?.open === work?.uncertain) decided_ms ??= Math.round(performance.now() - since_ms)
      else decided_ms = undefined
      return work?.open === 0
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
  for (const id of new Set(history.tries.map(({ bulk }) => bulk.request_id))) {
    const answer = await client.get(`/transfers/bulk/${id}/transfers?limit=1000`)
    if (answer.status === 200) bulks.set(id, (answer.body as { data: EndedTransfer[] }).data)
  }
  const { data: accounts } = (await client.get('/accounts')).body as { data: End['accounts'] }
  return { bulks, accounts }
}
