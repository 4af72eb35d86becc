import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import path from 'node:path'
import { waitForChild, withTestServer } from '../support/test-server.ts'

/**
 * Simulates many seeds, on two processes: `node test/simulation/long.ts 5000` that many seeds, `... 30m` half an hour.
 * They begin with a random seed, or with the one that is given behind. Exits with 1 if any failed.
 */
const [amount = '10m', first = String(randomInt(1e9))] = process.argv.slice(2)
const [, number, minutes] = /^(\d+)(m?)$/.exec(amount) ?? []
if (number === undefined) throw new Error('how long? a number of seeds, or of minutes as in 10m')
const seeds = minutes ? Infinity : Number(number)
const endMs = minutes ? Date.now() + Number(number) * 60_000 : Infinity
const processes = 2

process.stdout.write(`simulating ${amount} from seed ${first} on\n`)
const codes = await withTestServer((environment) => {
  const children = Array.from({ length: processes }, (_, nr) => {
    const parameters = [Number(first) + nr, processes, Number(first) + seeds - 1, endMs]
    const program = [path.join(import.meta.dirname, 'run-seeds.ts'), ...parameters.map(String)]
    return spawn(process.execPath, program, { stdio: 'inherit', env: { ...process.env, ...environment } })
  })
  return Promise.all(children.map(waitForChild))
})
process.exit(Math.max(...codes))
