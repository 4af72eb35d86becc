import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import type { BankAnswer } from '../../src/banking/connector.ts'
import type { Context } from '../../src/context.ts'
import { BankGate } from '../../src/execution/bank-gate.ts'
import { readSettings } from '../../src/settings.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { anOrder } from '../support/builders.ts'
import { createScriptedBank } from '../support/scripted-bank.ts'

const good: BankAnswer = { outcome: 'executed' }
const lost: BankAnswer = { outcome: 'unknown', cause: 'timeout' }
const down: BankAnswer = { outcome: 'not-accepted', cause: 'ECONNREFUSED' }
const patience = (retry_after_ms: number): BankAnswer => ({
  outcome: 'not-accepted',
  cause: '429',
  retry_after_ms
})

/** A gate before a bank that answers when the test says so, and a clock that the test moves. */
function aGate(connections = 64) {
  const read = readSettings({ LOG_LEVEL: 'silent', BANK_CONNECTIONS: String(connections) })
  assert.ok(read.outcome === 'ok')
  const clock = { now: 5_000, nowMs: () => 0, elapsedMs: () => clock.now, sleep: () => Promise.resolve() }
  const bank = createScriptedBank()
  const underWay: ((answer: BankAnswer) => void)[] = []
  bank.script = () => new Promise<BankAnswer>((resolve) => underWay.push(resolve))
  const random = { fraction: () => 0.5, bytes: () => new Uint8Array(0) }
  const { settings } = read
  const told: string[] = []
  const write = (line: string) => told.push((JSON.parse(line) as { msg: string }).msg)
  const context = { settings, bank, log: createLog('info', { write }), clock, random } as unknown as Context
  const gate = new BankGate(context)
  const call = (again = false, mayCall = () => true) => gate.submit(anOrder, { again, mayCall })
  /** Lets the bank answer the oldest calls, all of them or some. */
  const answer = async (said: BankAnswer, count = underWay.length) => {
    for (const resolve of underWay.splice(0, count)) resolve(said)
    await turn()
  }
  /** Makes calls that the bank answers so, one after the other. */
  const hear = async (said: BankAnswer, count = 1, again = false) => {
    const answers: string[] = []
    for (let nr = 0; nr < count; nr++) {
      const called = call(again)
      await answer(said)
      answers.push((await called).outcome)
    }
    return answers
  }
  const calls = (count: number, again = false) => Array.from({ length: count }, () => call(again))
  return { gate, bank, clock, underWay, call, calls, answer, hear, told }
}

const outcomes = async (calls: Promise<BankAnswer>[]) =>
  (await Promise.all(calls)).map(({ outcome }) => outcome)

describe('the circuit breaker', () => {
  it('stays closed when the bank is silent about payments that it was asked about before', async () => {
    const { gate, bank, answer } = aGate()
    for (let time = 0; time < 60; time++) {
      const called = gate.inquire(anOrder, { again: false, fresh: false, mayCall: () => true })
      await answer(lost)
      await called
    }
    assert.deepEqual([gate.closedForMs(), gate.probing, bank.calls.length], [0, false, 60])
  })

  for (const failure of [lost, down])
    it(`leaves the bank alone after 20 times ${failure.outcome} in a row, and not before`, async () => {
      const { gate, bank, hear } = aGate()
      await hear(failure, 19)
      assert.deepEqual(await hear(good), ['executed'])
      await hear(failure, 19)
      assert.equal(gate.closedForMs(), 0)
      await hear(failure)
      assert.ok(gate.closedForMs() > 0 && gate.closedForMs() <= 1_000)
      const before = bank.calls.length
      assert.deepEqual(await hear(good, 50), Array<string>(50).fill('not-asked'))
      assert.equal(bank.calls.length, before)
    })

  it('counts a rejection, a refusal and an unknown payment as words of a bank that is well', async () => {
    const { gate, hear } = aGate()
    await hear({ outcome: 'rejected', code: 'AC04', message: '' }, 50)
    await hear({ outcome: 'refused', code: 'NARR', message: '' }, 50)
    await hear({ outcome: 'not-found' }, 50)
    assert.deepEqual([gate.closedForMs(), gate.probing], [0, false])
  })

  it('then tries one call at a time, and closes for longer each time it fails, but never for more than 10 s', async () => {
    const { gate, bank, clock, hear, calls, answer } = aGate()
    await hear(down, 20)
    const closings: number[] = []
    for (let probes = 0; probes < 12; probes++) {
      closings.push(gate.closedForMs())
      clock.now += gate.closedForMs()
      const before = bank.calls.length
      const asked = calls(30)
      await answer(down)
      assert.equal(bank.calls.length, before + 1)
      assert.deepEqual(await outcomes(asked), ['not-accepted', ...Array<string>(29).fill('not-asked')])
    }
    assert.deepEqual(
      closings,
      closings.toSorted((one, other) => one - other)
    )
    assert.ok(closings[1]! > closings[0]! && closings.at(-1)! <= 10_000 && closings.at(-1)! >= 5_000)
  })

  it('opens with the first good answer, one call more with each, up to all connections', async () => {
    const { gate, clock, hear, calls, underWay, answer } = aGate(8)
    await hear(lost, 20)
    clock.now += gate.closedForMs()
    const asked = calls(100)
    const atOnce: number[] = []
    while (underWay.length > 0) {
      atOnce.push(underWay.length)
      await answer(good)
    }
    assert.deepEqual(new Set(await outcomes(asked)), new Set(['executed']))
    assert.deepEqual(atOnce.slice(0, 5), [1, 2, 4, 8, 8])
    assert.equal(gate.probing, false)
  })

  it('learns nothing from calls that were under way when it closed', async () => {
    const { gate, calls, answer } = aGate()
    const asked = calls(60)
    await answer(lost, 20)
    const closed = gate.closedForMs()
    await answer(lost)
    assert.equal(gate.closedForMs(), closed)
    assert.deepEqual(new Set(await outcomes(asked)), new Set(['unknown']))
  })
})

describe('Retry-After', () => {
  it('holds every call for as long as the bank says, and a minute at most', async () => {
    for (const [said, held] of [
      [3_000, 3_000],
      [86_400_000, 60_000]
    ] as const) {
      const { gate, clock, hear, bank } = aGate()
      await hear(patience(said))
      assert.equal(gate.closedForMs(), held)
      assert.deepEqual(await hear(good), ['not-asked'])
      clock.now += held
      assert.deepEqual(await hear(good), ['executed'])
      assert.equal(bank.calls.length, 2)
    }
  })

  it('halves the calls at one time, once however many calls are told of it at once', async () => {
    for (const told of [1, 5, 8]) {
      const { clock, calls, answer, underWay } = aGate(8)
      const asked = calls(8)
      await answer(patience(1_000), told)
      await answer(good)
      await outcomes(asked)
      clock.now += 1_000
      void calls(20)
      await turn()
      const grown = 8 - told
      assert.equal(underWay.length, Math.min(8, 4 + grown), `${told} were told`)
    }
  })

  it('is not shortened by another that comes later', async () => {
    const { gate, calls, answer } = aGate()
    const asked = calls(2)
    await answer(patience(9_000), 1)
    await answer(patience(1_000), 1)
    await outcomes(asked)
    assert.equal(gate.closedForMs(), 9_000)
  })
})

describe('calls at one time', () => {
  it('are never more than BANK_CONNECTIONS, and the others wait for their turn', async () => {
    const { calls, underWay, answer, bank } = aGate(4)
    const asked = calls(100)
    await turn()
    while (underWay.length > 0) {
      assert.ok(underWay.length <= 4)
      await answer(good, 1)
    }
    assert.deepEqual([bank.calls.length, new Set(await outcomes(asked)).size], [100, 1])
  })

  it('that wait are told at once when the bank is left alone', async () => {
    const { calls, answer } = aGate(2)
    const asked = calls(50)
    await answer(patience(5_000), 1)
    const waiting = await outcomes(asked.slice(2))
    assert.deepEqual(new Set(waiting), new Set(['not-asked']))
    await answer(good)
    await outcomes(asked)
  })

  it('are asked at the last moment whether they still may be made', async () => {
    const { call, answer, bank } = aGate(1)
    let may = true
    const asked = [call(), call(false, () => may), call()]
    may = false
    await answer(good)
    await answer(good)
    assert.deepEqual(await outcomes(asked), ['executed', 'not-asked', 'executed'])
    assert.equal(bank.calls.length, 2)
  })
})

describe('the budget of retries', () => {
  /** How many of many retries, one after another and now and then a good first call, reach the bank. */
  async function spend(count: number, gate = aGate()) {
    const before = gate.bank.calls.length
    for (let nr = 0; nr < count; nr++) {
      // A bank that fails retries and is well otherwise is not left alone.
      await gate.hear(lost, 1, true)
      if (nr % 10 === 9) await gate.hear({ outcome: 'taken' })
    }
    return gate.bank.calls.length - before - Math.floor(count / 10)
  }

  it('lets a hundred saved ones fail, then ten a second and a tenth of the first calls', async () => {
    const scene = aGate()
    const first = await spend(1_000, scene)
    assert.ok(first >= 100 && first <= 112, `${first} at first`)
    scene.clock.now += 2_000
    const later = await spend(1_000, scene)
    assert.ok(later >= 20 && later <= 32, `${later} after two seconds`)
  })

  it('costs nothing when they go well', async () => {
    const { hear } = aGate()
    assert.deepEqual(new Set(await hear(good, 1_000, true)), new Set(['executed']))
  })

  it('is not spent by calls that are not made', async () => {
    const scene = aGate(1)
    for (let round = 0; round < 5; round++) {
      const asked = scene.calls(60, true)
      await scene.answer(patience(10))
      await outcomes(asked)
      scene.clock.now += 10
    }
    const left = await spend(200, scene)
    assert.ok(left >= 90, `only ${left} are left`)
  })
})

it('no call is lost, made twice or left without an answer, whatever the bank says', async () => {
  const said = fc.oneof(
    { weight: 3, arbitrary: fc.constant(good) },
    fc.constantFrom(lost, down, { outcome: 'not-found' } as const, patience(50), patience(0))
  )
  const step = fc.record({
    calls: fc.nat({ max: 40 }),
    again: fc.boolean(),
    may: fc.boolean(),
    answers: fc.array(said, { maxLength: 40 }),
    passes: fc.nat({ max: 2_000 })
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 15 }),
      fc.integer({ min: 1, max: 8 }),
      async (steps, most) => {
        const { gate, bank, clock, call, underWay, answer } = aGate(most)
        const asked: Promise<BankAnswer>[] = []
        for (const { calls, again, may, answers, passes } of steps) {
          for (let nr = 0; nr < calls; nr++) asked.push(call(again, () => may))
          for (const word of answers) {
            await answer(word, 1)
            assert.ok(underWay.length <= most, `${underWay.length} calls at once`)
          }
          clock.now += passes
          assert.ok(gate.closedForMs() <= 10_000)
        }
        for (let left = underWay.length; left > 0; left = underWay.length) await answer(good, 1)
        const answered = await outcomes(asked)
        assert.equal(answered.filter((outcome) => outcome !== 'not-asked').length, bank.calls.length)
      }
    )
  )
})

describe('the log', () => {
  it('tells once that the bank is left alone, not at each probe that fails, and once that it answers', async () => {
    const { gate, hear, clock, told } = aGate()
    await hear(down, 20)
    for (let probes = 0; probes < 5; probes++) {
      clock.now += gate.closedForMs()
      await hear(down)
    }
    assert.deepEqual(told, ['the bank is left alone until it answers'])
    assert.equal(gate.look().closings, 6)
    clock.now += gate.closedForMs()
    assert.equal(gate.look().closed, true, 'until a probe goes well')
    await hear(good, 3)
    assert.equal(gate.look().closed, false)
    assert.deepEqual(told.slice(1), ['the bank answers again'])
  })
})
