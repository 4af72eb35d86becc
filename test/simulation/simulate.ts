import { verify } from '../../src/verification/verify.ts'
import { anOrganization } from '../support/builders.ts'
import { bootApi } from './actors/api.ts'
import { runCanceller } from './actors/canceller.ts'
import { runClient } from './actors/client.ts'
import { heal, runNemesis } from './actors/nemesis.ts'
import { runReader } from './actors/reader.ts'
import { runRetrier } from './actors/retrier.ts'
import { bootWorker } from './actors/worker.ts'
import { describeError } from './boundaries/log.ts'
import { checkEnd } from './check-end.ts'
import { describeOpen, isSettled } from './open-work.ts'
import { drawOptions } from './options.ts'
import type { SimulationDatabase } from './simulation-database.ts'
import { Site } from './site.ts'
import { World } from './world.ts'

/** Between two inquiries about one transfer, and until a job of a dead process is taken over: five minutes each. */
const longestPauseMs = 300_000

/**
 * Runs one seed: first everything goes wrong that may, then nothing any more; then every transfer has to end soon,
 * the processes have to stop when asked, and what is still on its way must do no harm. Returns the world as it ended.
 */
export async function simulate(seed: number, database: SimulationDatabase): Promise<World> {
  const world = new World(drawOptions(seed), database)
  const onUnhandled = (error: unknown) => world.fail(`a process would have died: ${describeError(error)}`)
  process.on('unhandledRejection', onUnhandled)
  try {
    await begin(world)
    await runPhases(world)
  } catch (error) {
    if (world.violations.length === 0) world.fail(`the simulation failed: ${describeError(error)}`)
  } finally {
    process.off('unhandledRejection', onUnhandled)
  }
  return world
}

async function begin(world: World): Promise<void> {
  const { organizations, clients, bulks_per_client, funds_minor_per_bulk } = world.options
  await world.database.empty(world.timeline)
  const funds_minor = BigInt(clients * bulks_per_client * funds_minor_per_bulk)
  for (let nr = 0; nr < organizations; nr++)
    world.organizationIds.push(await anOrganization(world.database, { funds_minor }))
}

async function runPhases(world: World): Promise<void> {
  const { lease_ms, settlement_ms, safety_ms } = world.options
  const { submitted, settled } = startAll(world)
  const graceMs = lease_ms + 2 * settlement_ms + 2 * longestPauseMs

  if (!(await runUntil(world, settled, safety_ms))) await check(world)
  heal(world)
  await expectSoon(world, submitted, 180_000, 'every request has been answered')
  await expectSoon(world, settled, graceMs, 'all is settled')
  await expectSoon(world, start(world, 1, stopWorkers), graceMs, 'the workers have stopped')
  // Requests that the network still holds arrive now: what is FAILED or CANCELLED must not be among them.
  await runUntil(world, () => false, Infinity)
  await check(world)
  await world.submissions.check()
  await world.retries.check()
  await checkEnd(world)
}

/** Starts processes and those who use and trouble them; returns how far they are. */
function startAll(world: World) {
  const { workers, apis, clients, readers, cancellers, retriers } = world.options
  for (let nr = 1; nr <= workers; nr++) world.workers.push(new Site(world, `worker-${nr}`, bootWorker))
  for (let nr = 1; nr <= apis; nr++) world.apis.push(new Site(world, `api-${nr}`, bootApi))
  const asking = [
    start(world, clients, runClient),
    start(world, cancellers, runCanceller),
    start(world, retriers, runRetrier)
  ]
  const submitted = () => asking.every((isDone) => isDone())
  start(world, readers, runReader)
  start(world, 1, runNemesis)
  return { submitted, settled: watch(world, submitted) }
}

/** Lets time pass until something holds; returns whether it does. Once something is wrong the run is over. */
async function runUntil(world: World, done: () => boolean, limitMs: number): Promise<boolean> {
  const isDone = await world.timeline.run(() => world.violations.length > 0 || done(), limitMs)
  if (world.violations.length > 0) throw new Error('something is wrong')
  return isDone
}

/** L1: something holds before the time is up. */
async function expectSoon(world: World, done: () => boolean, limitMs: number, what: string): Promise<void> {
  if (await runUntil(world, done, limitMs)) return
  world.fail(`L1: not within ${limitMs} ms: ${what}; ${await describeOpen(world)}`)
}

/** Sets some actors off; returns whether all of them are through. */
function start(world: World, count: number, run: (world: World) => Promise<void>): () => boolean {
  let running = count
  const end = () => void (running -= 1)
  for (let nr = 0; nr < count; nr++)
    run(world).then(end, (error: unknown) => world.fail(`an actor failed: ${describeError(error)}`))
  return () => running === 0
}

/** Looks every two seconds whether all that was submitted has ended, and all that the bank told is done. */
function watch(world: World, submitted: () => boolean): () => boolean {
  let settled = false
  const look = async () => {
    if (submitted()) settled = await isSettled(world)
    if (!settled) world.timeline.after(2_000, look)
  }
  world.timeline.after(2_000, look)
  return () => settled
}

async function stopWorkers(world: World): Promise<void> {
  const stopping = world.workers.map(async (site) => {
    site.closed = true
    await site.stop()
  })
  await Promise.all(stopping)
}

async function check(world: World): Promise<void> {
  const { violations } = await verify(world.database, world.bank)
  for (const { invariant, subject, details } of violations) world.fail(`${invariant}: ${subject}: ${details}`)
}
