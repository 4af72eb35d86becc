import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BankClock } from '../../src/sandbox-bank/bank-clock.ts'

describe("the bank's clock", () => {
  it('lets things happen in the order of their due times, each at its own, also what they bring about', async () => {
    const clock = new BankClock()
    const start = clock.nowMs()
    const happened: [string, number][] = []
    const note = (what: string) => void happened.push([what, Math.floor((clock.nowMs() - start) / 1000)])
    clock.at(start + 30_000, () => note('last'))
    clock.at(start + 10_000, () => {
      note('first')
      clock.at(start + 20_000, () => note('second'))
    })
    const cancel = clock.at(start + 15_000, () => note('cancelled'))
    clock.at(start + 90_000, () => note('beyond'))
    cancel()
    await Promise.all([clock.advance(15_000), clock.advance(15_000)])
    await clock.stop()
    assert.deepEqual(happened, [
      ['first', 10],
      ['second', 20],
      ['last', 30]
    ])
  })

  it('runs by itself as well', async () => {
    const clock = new BankClock()
    await new Promise<void>((resolve) => clock.at(clock.nowMs() + 20, resolve))
    await clock.stop()
  })

  it('starts no earlier than it is told to', async () => {
    const later = Date.now() + 86_400_000
    const clock = new BankClock(later)
    assert.ok(clock.nowMs() >= later && new BankClock(1).nowMs() <= Date.now())
    await clock.stop()
  })

  it('lets nothing happen after it was stopped', async () => {
    const clock = new BankClock()
    clock.at(clock.nowMs() + 1000, () => assert.fail())
    await clock.stop()
    await clock.advance(2000)
  })
})
