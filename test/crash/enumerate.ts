import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { expectRight } from './check.ts'
import { keepRunning, makeInstallation, workOff, type Scope } from './run.ts'

/** Which time that a point is reached is the one at which the program is killed. */
export type Time = 'first' | 'second' | 'last'

const numbers: Record<Time, (count: number) => number | undefined> = {
  first: () => 1,
  second: (count) => (count >= 2 ? 2 : undefined),
  last: (count) => (count >= 3 ? count : undefined)
}

/**
 * A test for each point of a side that a run without a crash reaches: killed there, started again, everything is right.
 * The set is bounded by the workload, which is small, and by three times a point: a loop's first step, its step from one
 * to the next, and its end. Migrations are not among the points, since they end before there is a context to watch, and
 * each is one transaction. A file for each side and time keeps each of them far below the longest that a file may take.
 */
export async function describeCrashes(side: 'before' | 'after', time: Time): Promise<void> {
  const skip = process.platform === 'win32'
  const counts = skip ? [] : [...(await countPoints())].filter(([point]) => point.startsWith(side))
  describe(`killed ${side} a side effect, the ${time} time`, { skip, concurrency: 2 }, () => {
    for (const [point, count] of counts) {
      const nth = numbers[time](count)
      if (nth !== undefined)
        it(`${point}, time ${nth}`, async (t) => {
          const killed = await crash(t, [`${point}:${nth}`])
          // How often a worker looks for work differs from run to run, so what was the last time may not come.
          if (time === 'last' && killed === 0) t.diagnostic(`${point} was reached less than ${nth} times`)
          else assert.equal(killed, 1, 'the point was not reached')
        })
    }
  })
}

/** How often each point is reached when nothing goes wrong. */
export async function countPoints(): Promise<Map<string, number>> {
  const installation = await makeInstallation({ after })
  installation.start()
  await workOff(installation)
  await expectRight(installation)
  return installation.reached()
}

/** Kills the first program at the first of these places, the one started next at the second; returns how many were reached. */
export async function crash(scope: Scope, places: string[]): Promise<number> {
  const installation = await makeInstallation(scope)
  const work = workOff(installation).then(() => expectRight(installation))
  const [killed] = await Promise.all([keepRunning(installation, places, work), work])
  return killed
}
