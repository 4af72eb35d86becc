import { Sealer } from '../../../src/events/sealer.ts'
import { Worker } from '../../../src/execution/worker.ts'
import { Housekeeper } from '../../../src/reconciliation/housekeeper.ts'
import type { Boot } from '../site.ts'

/** A process that executes transfers and looks after things. */
export const bootWorker: Boot = (context, process, world) => {
  const worker = new Worker(context, process.name)
  const started = worker.start()
  const housekeeper = new Housekeeper(context, world.bank)
  housekeeper.start()
  const sealer = new Sealer(context)
  sealer.start()
  return async () => {
    await started
    await Promise.all([worker.stop(), housekeeper.stop(), sealer.stop()])
  }
}
