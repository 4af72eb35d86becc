import type { Broker } from '../../../src/broker/broker.ts'
import type { Process } from '../process.ts'
import type { World } from '../world.ts'
import { SimulatedFault } from './simulated-fault.ts'

/** Hints that reach every process that listens, or do not, or too late, or twice. */
export function connectToBroker(world: World, process: Process): Broker {
  const perform = () => tellAll(world)
  return {
    announce() {
      if (world.strikes('hint_refused'))
        return process.call({
          arrivesMs: null,
          perform,
          answerMs: null,
          otherwise: { afterMs: world.usualMs(), result: new SimulatedFault('the broker is away') }
        })
      return process.call({ arrivesMs: world.usualMs(), perform, answerMs: world.usualMs() })
    },
    listen(listener) {
      world.listeners.set(process, listener)
      return Promise.resolve()
    },
    close: () => Promise.resolve()
  }
}

function tellAll(world: World): void {
  for (const [process, listener] of world.listeners) {
    if (world.strikes('hint_lost')) continue
    const copies = world.strikes('hint_doubled') ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const lateMs = world.strikes('hint_late') ? world.dice.between(0, 10_000) : 0
      process.deliver(lateMs + world.usualMs(), listener)
    }
  }
}
