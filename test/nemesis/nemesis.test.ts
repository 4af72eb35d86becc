import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { openDatabase } from '../../src/database/database.ts'
import { createHttpBankLog } from '../../src/verification/http-bank-log.ts'
import { verify } from '../../src/verification/verify.ts'
import { chooseSeed, makeRandom, type Random } from '../support/random.ts'
import { countTaken, type Reaction } from '../support/witness.ts'
import { isAccepted, newHistory, type Act, type History } from './history.ts'
import { judge, type End } from './judge.ts'
import { Load } from './load.ts'
import { Nemesis } from './nemesis.ts'
import { judgeTold, measureTakeOver, readEnd, resolveUnanswered, settle, settleWebhooks } from './settle.ts'
import { frontsOf, servicesOf, startWorld, untilUp, type World } from './world.ts'

const minutes = Number(process.env['LONG_MINUTES'] ?? 0.75)
const isLong = minutes > 1
/** L1 of the design: this long after the last fault, and the last submission, every transfer is final, or UNKNOWN with an inquiry to come. */
const decidedWithinMs = 30_000
const takenOverWithinMs = 30_000

describe('two APIs, two workers, PostgreSQL and a bank', { skip: process.platform === 'win32' }, () => {
  it(`keep every promise for ${minutes} minutes of kills, pauses and broken lines`, async (t) => {
    const seed = chooseSeed()
    const world = await startWorld(t)
    const history = newHistory()
    const nemesis = new Nemesis(world, makeRandom(seed))
    try {
      await run(t, { world, history, nemesis, seed })
    } catch (error) {
      const folder = keepLogs(world, nemesis)
      throw new Error(`SEED=${seed} breaks it; what everyone did and said is in ${folder}`, { cause: error })
    }
  })
})

async function run(
  t: TestContext,
  { world, history, nemesis, seed }: { world: World; history: History; nemesis: Nemesis; seed: number }
): Promise<void> {
  world.witness.react = drawReactions(makeRandom(seed + 2))
  const load = new Load(history, frontsOf(world), makeRandom(seed + 1))
  t.after(() => load.stop())
  await nemesis.rage(minutes * 60_000, (line) => {
    if (isLong) process.stderr.write(`${line}; ${history.tries.length} tries\n`)
  })
  await untilUp(world)
  const takeOver = await measureTakeOver(world)
  await load.stop()
  const resolved = await resolveUnanswered(world, history)
  // From now on nothing breaks and nothing is asked for any more.
  world.witness.react = () => 'takes it'
  const settled = await settle(world, performance.now(), 300_000)
  const webhooks_ms = await settleWebhooks(world)
  const end = await readEnd(world, history)
  const told = await judgeTold(world, end)

  const verification = await prove(world)
  t.diagnostic(describeRun({ seed, nemesis, history, resolved, bulks: end.bulks.size }))
  t.diagnostic(`checked: ${JSON.stringify(verification.checked)}`)
  t.diagnostic(describeEnds(end))
  t.diagnostic(
    `${takeOver.chunks} chunks of a killed worker taken over after ${takeOver.took_ms} ms; all decided ${settled.decided_ms} ms after the last submission, all final after ${settled.final_ms} ms`
  )
  t.diagnostic(`${describeWebhooks(world)}; all delivered ${webhooks_ms} ms after all were final`)
  // The first ones tell enough.
  assert.deepEqual(verification.violations.slice(0, 20), [])
  assert.deepEqual(judge(history, end).slice(0, 20), [])
  assert.deepEqual(told.slice(0, 20), [])
  assert.ok(takeOver.took_ms < takenOverWithinMs)
  assert.ok(settled.decided_ms < decidedWithinMs)
}

/** As receivers are: mostly well, at times broken, away or stuck. */
function drawReactions(random: Random): () => Reaction {
  const others: Reaction[] = ['fails', 'hangs up', 'says nothing']
  return () => (random.fraction() < 0.9 ? 'takes it' : random.pick(others))
}

function describeWebhooks({ witness }: World): string {
  const { arrivals } = witness
  const refused = arrivals.filter(({ taken }) => !taken).length
  return `${countTaken(witness)} events told to the receiver in ${arrivals.length} attempts that arrived, ${refused} of which it did not take`
}

async function prove({ postgres, bank }: World) {
  const db = openDatabase({ url: postgres.url, maxConnections: 2, applicationName: 'nemesis' })
  try {
    return await verify(db, createHttpBankLog(`http://127.0.0.1:${bank.port}`))
  } finally {
    await db.close()
  }
}

function describeRun(what: {
  seed: number
  nemesis: Nemesis
  history: History
  resolved: number
  bulks: number
}): string {
  const { tries, acts, reads } = what.history
  const count = (kind: Act['kind'], answered: boolean) =>
    acts.filter((act) => act.kind === kind && (act.answer !== null) === answered).length
  const told = `${count('cancel', true)} cancels and ${count('retry', true)} retries answered, ${count('cancel', false)} and ${count('retry', false)} not`
  const unanswered = tries.filter(({ answer }) => answer === null).length
  const refused = tries.filter(({ answer }) => answer !== null && !isAccepted(answer)).length
  const faults = [...what.nemesis.counts].map(([name, count]) => `${count} ${name}`)
  return `SEED=${what.seed}; ${tries.length} tries, ${unanswered} of them unanswered, ${refused} refused, ${what.resolved} bulks resolved at the end; ${what.bulks} bulks accepted, ${told}, ${reads} reads; faults: ${faults.join(', ')}`
}

function describeEnds({ bulks, incidents }: End): string {
  const statuses = Map.groupBy([...bulks.values()].flat(), ({ status }) => status)
  const counts = [...statuses].map(([status, transfers]) => `${transfers.length} ${status}`)
  return `${counts.join(', ')}; ${incidents.length} incidents`
}

/** What a person needs to find out why; it stays. */
function keepLogs(world: World, nemesis: Nemesis): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'bulkhead-nemesis-'))
  writeFileSync(path.join(folder, 'nemesis.log'), nemesis.log.join('\n'))
  for (const { name, programs } of servicesOf(world))
    for (const program of programs)
      writeFileSync(path.join(folder, `${name} ${program.pid}.log`), program.stderr() + program.stdout())
  return folder
}
