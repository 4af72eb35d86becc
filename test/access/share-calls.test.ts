import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { shareCalls } from '../../src/access/share-calls.ts'

/** Calls that end when they are told to. */
function arrange() {
  const begun: (PromiseWithResolvers<string> & { question: string })[] = []
  const ask = shareCalls((question) => {
    const call = { question, ...Promise.withResolvers<string>() }
    begun.push(call)
    return call.promise
  })
  return { ask, begun }
}

describe('equal questions at one time', () => {
  it('share the call that begins after the one under way', async () => {
    const { ask, begun } = arrange()
    const first = ask('a')
    const others = [ask('a'), ask('a'), ask('a')]
    await turn()
    assert.equal(begun.length, 1)
    begun[0]?.resolve('before')
    assert.equal(await first, 'before')
    await turn()
    assert.equal(begun.length, 2)
    // While the second is under way, a third is wanted.
    const last = ask('a')
    begun[1]?.resolve('then')
    assert.deepEqual(await Promise.all(others), ['then', 'then', 'then'])
    await turn()
    begun[2]?.resolve('now')
    assert.equal(await last, 'now')
    assert.equal(begun.length, 3)
  })

  it('are asked anew after one that failed, and each is told its own failure', async () => {
    const { ask, begun } = arrange()
    const first = ask('a')
    const second = ask('a')
    begun[0]?.reject(new Error('no connection'))
    await assert.rejects(first, /no connection/)
    await turn()
    begun[1]?.resolve('here')
    assert.equal(await second, 'here')
    const third = ask('a')
    assert.equal(begun.length, 3)
    begun[2]?.reject(new Error('gone again'))
    await assert.rejects(third, /gone again/)
  })

  it('are those of one text only', () => {
    const { ask, begun } = arrange()
    void ask('a')
    void ask('b')
    assert.deepEqual(
      begun.map(({ question }) => question),
      ['a', 'b']
    )
  })
})
