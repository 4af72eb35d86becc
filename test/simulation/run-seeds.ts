import { openTestDatabase } from '../support/database.ts'
import { describeFailure } from './report.ts'
import { simulate } from './simulate.ts'
import { prepareDatabase } from './simulation-database.ts'

/** Part of the long run: every `step`-th seed from `first` up to `last`, until the time is up. */
const [first, step, last, endMs] = process.argv.slice(2).map(Number) as [number, number, number, number]
const everyMs = 10_000

const storage = await openTestDatabase()
const database = await prepareDatabase(storage)
let count = 0
let failures = 0
let toldMs = Date.now()
for (let seed = first; seed <= last && Date.now() < endMs; seed += step) {
  const world = await simulate(seed, database)
  count += 1
  if (world.violations.length > 0) {
    failures += 1
    process.stdout.write(`\n${describeFailure(world)}\n\n`)
  }
  if (Date.now() - toldMs < everyMs) continue
  toldMs = Date.now()
  process.stdout.write(`${count} seeds, the last one ${seed}, ${failures} failed\n`)
}
process.stdout.write(`done: ${count} seeds, ${failures} failed\n`)
await database.close()
await storage.close()
process.exit(failures > 0 ? 1 : 0)
