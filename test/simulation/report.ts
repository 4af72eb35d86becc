import type { World } from './world.ts'

const lastLines = 60

/** What went wrong in a run, how to run it again, and how it came about. */
export function describeFailure({ options, timeline, violations }: World): string {
  return [
    `seed ${options.seed}: ${violations.join('\n')}`,
    `again: SIMULATION_SEED=${options.seed} npm test -- test/simulation/simulation.test.ts`,
    `options: ${JSON.stringify(options)}`,
    ...timeline.trace.slice(-lastLines)
  ].join('\n')
}
