import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createLog } from '../../src/telemetry/log.ts'
import { createOutageLog } from '../../src/telemetry/outage-log.ts'

function aLog() {
  const lines: Record<string, unknown>[] = []
  const write = (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>)
  let nowMs = 1_000_000
  const outage = createOutageLog(createLog('info', { write }), 'the database', () => nowMs)
  const told = () => lines.map(({ level, msg }) => `${String(level)}: ${String(msg)}`)
  return { outage, lines, told, pass: (ms: number) => (nowMs += ms) }
}

it('an outage is told once when it begins and once when it is over, however many calls meet it', () => {
  const { outage, lines, told, pass } = aLog()
  outage.wentWell()
  for (let failures = 0; failures < 154; failures++) {
    outage.failed(new Error('ECONNREFUSED'))
    pass(100)
  }
  pass(2_000)
  outage.wentWell()
  outage.wentWell()
  assert.deepEqual(told(), [
    'error: the database is not available; trying again and again',
    'info: the database is available again'
  ])
  assert.deepEqual([lines[1]?.['failures'], lines[1]?.['lasted_ms']], [154, 15_300])
})

it('what goes well among failures does not end an outage, and the next one is told again', () => {
  const { outage, told, pass } = aLog()
  for (let flips = 0; flips < 10; flips++) {
    outage.failed(new Error('ECONNRESET'))
    pass(500)
    outage.wentWell()
  }
  assert.equal(told().length, 1)
  pass(2_000)
  outage.wentWell()
  outage.failed(new Error('ECONNRESET'))
  assert.equal(told().length, 3)
})
