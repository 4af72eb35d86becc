import { Worker } from '../../../src/execution/worker.ts'
import type { Boot } from '../site.ts'

/** A process that executes transfers. */
export const bootWorker: Boot = (context, process) => {
  const worker = new Worker(context, process.name)
  const started = worker.start()
  return async () => {
    await started
    await worker.stop()
  }
}
