import { createLog, type Log } from '../../../src/telemetry/log.ts'
import type { Process } from '../process.ts'
import type { World } from '../world.ts'
import { SimulatedFault } from './simulated-fault.ts'

/** The log of a process, as part of the story. An error in it that nobody simulated is a bug. */
export function keepLog(world: World, process: Process): Log {
  const listen =
    (level: string) =>
    (fields: { err?: unknown }, message: string): void => {
      world.timeline.tell(process.name, `${level}: ${message}`)
      if (fields.err !== undefined && !(fields.err instanceof SimulatedFault))
        world.fail(`${process.name} logged an error of its own: ${describeError(fields.err)}`)
    }
  return Object.assign(createLog('silent'), { warn: listen('warns'), error: listen('reports') })
}

/** An error with what it says and where it came from, without line numbers of the driver. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const ours = error.stack?.split('\n').filter((line) => line.includes('/src/')) ?? []
  return [error.message, ...ours.map((line) => line.trim().replace(/\(?\S*\/src\//, '(src/'))].join(' ')
}
