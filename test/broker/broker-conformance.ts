import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Broker } from '../../src/broker/broker.ts'
import { until } from '../e2e/processes.ts'

export interface BrokersUnderTest {
  /** A broker object that is connected, as another process would have it. */
  open: () => Promise<Broker>
  /** Breaks the connections of all that were opened. */
  cut: () => Promise<void>
}

export const hint = { organization_id: 1, bulk_no: '7' }

/** Listens, counts, and resolves `next()` at the next call that comes after it. */
export async function listenTo(broker: Broker) {
  const waiting: (() => void)[] = []
  let calls = 0
  await broker.listen(() => {
    calls += 1
    for (const wake of waiting.splice(0)) wake()
  })
  return { next: () => new Promise<void>((resolve) => waiting.push(resolve)), calls: () => calls }
}

/** Announces until it succeeds; an announcement that never settles fails the test. */
export async function announceAgain(broker: Broker): Promise<void> {
  await until('a hint can be announced again', () =>
    broker.announce(hint).then(
      () => true,
      () => false
    )
  )
}

/** What every broker has to do, whatever carries the hints. */
export function describeBroker(
  name: string,
  arrange: (t: TestContext) => Promise<BrokersUnderTest>,
  options: { skip?: string | false } = {}
): void {
  const skip = options.skip ?? false

  async function openAll(t: TestContext, count: number) {
    const { open, cut } = await arrange(t)
    const brokers: Broker[] = []
    for (let n = 0; n < count; n++) {
      const broker = await open()
      t.after(() => broker.close())
      brokers.push(broker)
    }
    return { brokers: brokers as [Broker, Broker, Broker], cut }
  }

  describe(`${name}, as a broker`, () => {
    it('carries a hint from one process to another', { skip }, async (t) => {
      const [sender, receiver] = (await openAll(t, 2)).brokers
      const listener = await listenTo(receiver)
      const woken = listener.next()
      await sender.announce(hint)
      await woken
    })

    it('carries a hint to the process that announced it', { skip }, async (t) => {
      const [broker] = (await openAll(t, 1)).brokers
      const woken = (await listenTo(broker)).next()
      await broker.announce(hint)
      await woken
    })

    it('calls every listener of a process at a hint', { skip }, async (t) => {
      const [sender, receiver] = (await openAll(t, 2)).brokers
      const listeners = [await listenTo(receiver), await listenTo(receiver), await listenTo(receiver)]
      const woken = Promise.all(listeners.map((listener) => listener.next()))
      await sender.announce(hint)
      await woken
    })

    it('calls nobody after it was closed', { skip }, async (t) => {
      const [sender, closed, open] = (await openAll(t, 3)).brokers
      const [deaf, listener] = [await listenTo(closed), await listenTo(open)]
      await closed.close()
      const calls = deaf.calls()
      const woken = listener.next()
      await sender.announce(hint)
      await woken
      assert.equal(deaf.calls(), calls)
    })

    it('can be closed twice', { skip }, async (t) => {
      const [broker] = (await openAll(t, 1)).brokers
      await listenTo(broker)
      await Promise.all([broker.close(), broker.close()])
      await broker.close()
    })

    it(
      'wakes its listeners when its connection is back, since hints may have been lost',
      { skip },
      async (t) => {
        const { brokers, cut } = await openAll(t, 1)
        const listener = await listenTo(brokers[0])
        const woken = listener.next()
        await cut()
        await woken
      }
    )

    it('carries hints again after its connection was lost, twice', { skip }, async (t) => {
      const { brokers, cut } = await openAll(t, 2)
      const [sender, receiver] = brokers
      const listener = await listenTo(receiver)
      for (let losses = 0; losses < 2; losses++) {
        const back = listener.next()
        await cut()
        await back
        const woken = listener.next()
        await announceAgain(sender)
        await woken
      }
    })
  })
}
