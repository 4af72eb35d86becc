import { appendFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { start } from '../../src/cli/start.ts'
import { watchContext } from './points.ts'

/**
 * Bulkhead as `npm start` runs it, but for its end: at the point of CRASH_AT (`after record-results:2` is the second
 * time) it sends itself the signal CRASH_BY. Every point that it reaches is a line of POINTS_FILE.
 */
const { CRASH_AT = '', CRASH_BY = 'SIGKILL', POINTS_FILE = '' } = process.env
const counts = new Map<string, number>()

function reach(point: string): void {
  const nth = (counts.get(point) ?? 0) + 1
  counts.set(point, nth)
  appendFileSync(POINTS_FILE, `${point}\n`)
  if (`${point}:${nth}` !== CRASH_AT) return
  process.kill(process.pid, CRASH_BY)
  // Not one step further: a kill ends this wait, a stop begins in it.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
}

await start({ manual: false, wrap: (context) => watchContext(context, reach) })
// A process that is killed saves no compiled code; with it the next one starts in half the time.
flushCompileCache()
