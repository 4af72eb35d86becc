import { ownOrigin, type Context } from '../../../src/context.ts'
import { createMeasurements } from '../../../src/telemetry/measurements.ts'
import { noOutgoing } from '../../../src/outgoing/outgoing.ts'
import type { Process } from '../process.ts'
import type { World } from '../world.ts'
import { connectToBank } from './bank.ts'
import { connectToBroker } from './broker.ts'
import { connectToDatabase } from './database.ts'
import { wearClock } from './clock.ts'
import { keepLog } from './log.ts'

/** The outside world as one process sees it. */
export function makeSimulatedContext(world: World, process: Process): Context {
  const dice = world.dice.fork()
  return {
    settings: world.settings,
    db: connectToDatabase(world, process),
    bank: connectToBank(world, process),
    broker: connectToBroker(world, process),
    outgoing: noOutgoing,
    log: keepLog(world, process),
    measurements: createMeasurements(),
    clock: wearClock(world, process),
    random: { fraction: () => dice.fraction(), bytes: (count) => dice.bytes(count) },
    payeeCheck: null,
    origin: ownOrigin
  }
}
