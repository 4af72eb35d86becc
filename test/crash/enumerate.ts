import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { expectRight } from './check.ts'
import { keepRunning, makeInstallation, workOff, type Scope } from './run.ts'

/** Which time that a point is reached is the one at which the program is killed. */
export type Time = 'first' | 'second' | 'last'

/** Of how many times that it is reached, or undefined if there is no such time. */
const numbers: Record<Time, (count: number) => number | undefined> = {
  first: () => 1,
  second: (count) => (count >= 2 ? 2 : undefined),
  last: (count) => (count >= 3 ? count : undefined)
}

/** What a worker does by itself again and again may be done less often in another run; more than that is a mistake. */
const mostMissed = 3

/**
 * A test for each point of a side that a run without a crash reaches: killed there, started again, everything is right.
 * The set is bounded by the workload, which is small, and by three times a point: a loop's first step, its step from one
 * to the next, and its end. The second and the last only after an effect: before it the world is as it was after the
 * effect that came before, which is killed there. The long run leaves out nothing.
 * Migrations are not among the points, since they end before there is a context to watch, and each is one transaction.
 * A file for each side and time keeps each of them far below the longest that a file may take.
 */
export async function describeCrashes(side: 'before' | 'after', time: Time): Promise<void> {
  const skip = process.platform === 'win32'
  const counts = skip ? [] : [...(await countPoints())].filter(([point]) => point.startsWith(side))
  let missed = 0
  describe(`killed ${side} a side effect, the ${time} time`, { skip, concurrency: 2 }, () => {
    for (const [point, count] of counts) {
      const nth = numbers[time](count)
      if (nth !== undefined)
        it(`${point}, time ${nth}`, async (t) => {
          const killed = await crash(t, [`${point}:${nth}`])
          if (killed > 0) return
          t.diagnostic(`${point} was reached less than ${nth} times`)
          missed += 1
          assert.ok(time === 'last' || missed <= mostMissed, 'too many points were not reached')
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
