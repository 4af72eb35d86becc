import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { judgeArrivals, judgeFeed, startWitness, type Arrival, type FedEvent } from '../support/witness.ts'

const share = { count: 1, amount: '1.00' }
const end = { bulk_id: 'b', final: true, version: 3, executed: share, returned: { count: 0, amount: '0.00' } }
const feed: FedEvent[] = [
  { type: 'bulk.accepted', position: 1, version: 1, data: { bulk_id: 'b', version: 1 } },
  { type: 'bulk.completed', position: 2, version: 3, data: end }
]
const bulk = '/transfers/bulk/b'
const arrivals: Arrival[] = feed.map(({ type, position, version, data }) => ({
  type,
  webhook_id: `msg_${position}`,
  body: `${position}`,
  taken: true,
  data: { ...data, version, position, status_url: `${bulk}/status`, transfers_url: `${bulk}/transfers` }
}))
const [accepted, completed] = arrivals as [Arrival, Arrival]
const witness = await startWitness()

/** What is blamed of a receiver to which this happened. */
const blame = (happened: Partial<typeof witness>) =>
  judgeArrivals({ ...witness, arrivals, ...happened }, feed)
const status = { ...end, needs_attention: false }
const blameFeed = (events: FedEvent[], said: object = status) =>
  judgeFeed(events, new Map([['b', { ...said }]]))

describe('the judge of what was told', () => {
  it('finds nothing wrong with what is right, sent twice, or followed by a return', () => {
    assert.deepEqual(blame({}), [])
    assert.deepEqual(blame({ arrivals: [{ ...accepted, taken: false }, ...arrivals] }), [])
    assert.deepEqual(blameFeed(feed), [])
    assert.deepEqual(blameFeed(feed, { ...status, version: 4, returned: share }), [])
  })

  const wrongs: Record<string, Partial<typeof witness>> = {
    'what was not told': { arrivals: [accepted] },
    'what was sent and not taken': { arrivals: [accepted, { ...completed, taken: false }] },
    'two webhook-ids': { arrivals: [...arrivals, { ...accepted, webhook_id: 'msg_3' }] },
    'two contents': { arrivals: [...arrivals, { ...accepted, body: 'other' }] },
    'another state': {
      arrivals: [accepted, { ...completed, data: { ...completed.data, executed: { ...share, count: 2 } } }]
    },
    'what is not in the feed': {
      arrivals: [...arrivals, { ...accepted, webhook_id: 'msg_3', data: { ...accepted.data, position: 3 } }]
    },
    'what is not signed': { forged: ['?'] }
  }
  for (const [what, happened] of Object.entries(wrongs))
    it(`finds ${what}`, () => assert.equal(blame(happened).length > 0, true))

  it('finds a bulk that is told of twice, not at all, out of order, or otherwise than it is', () => {
    const [first, last] = feed as [FedEvent, FedEvent]
    for (const events of [[], [first], [last], [first, first, last], [first, last, last]])
      assert.equal(blameFeed(events).length, 1)
    assert.equal(blameFeed([first, { ...last, type: 'bulk.progress', version: 4 }, last]).length, 1)
    assert.equal(blameFeed(feed, { ...status, executed: { ...share, count: 2 } }).length, 1)
    assert.equal(blameFeed(feed, { ...status, returned: share }).length, 1)
    assert.equal(judgeFeed(feed, new Map()).length, 1)
  })
})
