import { seededRandom } from '../../src/cli/payroll.ts'

/** Chance that a seed repeats. */
export interface Random {
  /** In [0, 1). */
  fraction: () => number
  /** A whole number from 0 to below `end`. */
  below: (end: number) => number
  pick: <T>(choices: readonly T[]) => T
}

export function makeRandom(seed: number): Random {
  const fraction = seededRandom(seed)
  const below = (end: number): number => Math.floor(fraction() * end)
  return { fraction, below, pick: (choices) => choices[below(choices.length)]! }
}

/** The seed to repeat, from the environment, or a new one. */
export function chooseSeed(given = process.env['SEED']): number {
  return given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)
}
