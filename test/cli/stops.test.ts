import assert from 'node:assert/strict'
import { it } from 'node:test'
import { takeDown, type Stops } from '../../src/cli/stops.ts'
import { createLog } from '../../src/telemetry/log.ts'

it('parts stop in the reverse order of their starts, and one that hangs or fails does not keep the others up', async () => {
  const stopped: string[] = []
  const told: unknown[] = []
  const write = (line: string) => told.push((JSON.parse(line) as { what: string }).what)
  const part = (what: Stops[number]['what'], stop: () => Promise<unknown>) => ({
    what,
    stop: () => {
      stopped.push(what)
      return stop()
    }
  })
  const startedAt = performance.now()
  await takeDown(
    [
      part('database', () => Promise.resolve()),
      part('worker', () => Promise.reject(new Error('broken'))),
      part('monitoring', () => new Promise(() => undefined))
    ],
    createLog('info', { write })
  )
  assert.deepEqual(stopped, ['monitoring', 'worker', 'database'])
  assert.deepEqual(told, ['monitoring', 'worker'])
  assert.ok(performance.now() - startedAt < 30_000, 'the one that hangs had its second')
})
