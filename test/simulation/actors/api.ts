import type { Context } from '../../../src/context.ts'
import { describeError } from '../boundaries/log.ts'
import { SimulatedFault } from '../boundaries/simulated-fault.ts'
import type { Boot } from '../site.ts'
import type { World } from '../world.ts'

const patienceMs = 10_000

/** A process that only answers requests. */
export const bootApi: Boot = () => () => Promise.resolve()

/**
 * Asks one of the API processes for something, as a client over HTTP does; null if there was no answer, or one that
 * says no more than that (a 503), after which nobody knows whether it was done.
 */
export function askApi<T>(world: World, work: (context: Context) => Promise<T>): Promise<T | null> {
  const { process, context } = world.dice.pick(world.apis)
  return new Promise((resolve) => {
    const answer = (result: T | null) => {
      if (!world.strikes('client_answer_lost')) world.timeline.after(world.usualMs(), () => resolve(result))
    }
    world.timeline.after(patienceMs, () => resolve(null))
    if (world.strikes('client_request_lost')) return
    process.deliver(world.usualMs(), () => {
      work(context).then(answer, (error: unknown) => {
        if (!(error instanceof SimulatedFault))
          world.fail(`${process.name} answers with an error of its own: ${describeError(error)}`)
        answer(null)
      })
    })
  })
}
