import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { attemptDelaysMs, nextAttemptMs, retryAfterMs } from '../../src/domain/webhook-schedule.ts'

const hour = 3_600_000

describe('the schedule of a webhook', () => {
  it('has ten attempts over 75 hours and a half', () => {
    const waits = Array.from({ length: 10 }, (_, failed) => nextAttemptMs(failed, 0))
    assert.deepEqual(
      waits,
      [0, 5_000, 300_000, 1_800_000, 2, 5, 10, 14, 20, 24].map((n) => (n < 100 ? n * hour : n))
    )
    assert.equal(nextAttemptMs(10, 0), null)
    assert.equal(
      attemptDelaysMs.reduce((sum, ms) => sum + ms),
      75 * hour + 35 * 60_000 + 5_000
    )
  })

  it('spreads what failed together over a tenth of the wait, never earlier', () => {
    assert.equal(nextAttemptMs(2, 0.999999), 330_000)
    assert.equal(nextAttemptMs(2, 0.5), 315_000)
  })

  it('waits for as long as the receiver asks for, for a day at most', () => {
    assert.equal(nextAttemptMs(1, 0, 60_000), 60_000)
    assert.equal(nextAttemptMs(9, 0, 60_000), 24 * hour)
    assert.equal(nextAttemptMs(1, 0, 1e12), 24 * hour)
    assert.equal(nextAttemptMs(10, 0, 60_000), null)
  })

  it('reads a Retry-After in both of its forms, and nothing else', () => {
    const now = Date.parse('2026-07-01T08:00:00Z')
    const read = (header: string | null) => retryAfterMs(header, now)
    assert.deepEqual(['0', '120', '999999999'].map(read), [0, 120_000, 24 * hour])
    assert.equal(read('Wed, 01 Jul 2026 08:01:00 GMT'), 60_000)
    assert.deepEqual(
      [null, '', '-1', 'soon', '1e3', 'Wed, 01 Jul 2020 08:01:00 GMT'].map(read),
      [0, 0, 0, 0, 0, 0]
    )
  })
})
