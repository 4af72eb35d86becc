import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ibanOf, list, newLogFile, order, orders, postAll } from './bank-harness.ts'
import { referencesInLog, startBank } from './bank-harness.ts'

describe('sandbox bank listing', () => {
  it('pages through 2500 payments without gap or repeat while more arrive', async (t) => {
    const logFile = newLogFile(t)
    const { url } = await startBank(t, { logFile })
    await postAll(url, orders(2500, 'early'))
    const arriving = postAll(url, orders(500, 'late'), 4)
    const seen: string[] = []
    let cursor = ''
    let counted = 0
    for (;;) {
      const page = await list(url, `?limit=100${cursor}`)
      assert.ok(page.count >= counted && page.total_amount === `${page.count * 100}.00`)
      counted = page.count
      seen.push(...page.payments.map(({ reference }) => reference))
      if (page.next_cursor === null) break
      assert.ok(page.has_more && page.payments.length === 100)
      cursor = `&cursor=${page.next_cursor}`
    }
    await arriving
    assert.ok(seen.length >= 2500)
    assert.deepEqual(seen, referencesInLog(logFile).slice(0, seen.length))
    assert.equal((await list(url, '?limit=1')).count, 3000)
  })

  it('leaves rejections between executions out of its pages', async (t) => {
    const { url } = await startBank(t)
    for (let round = 0; round < 5; round += 1) {
      const rejected = order({ reference: `rejected-${round}`, counterparty_iban: ibanOf('reject-AC01') })
      await postAll(url, [...orders(3, `round-${round}`), rejected], 1)
    }
    const expected = [0, 1, 2, 3, 4].flatMap((round) => [0, 1, 2].map((index) => `round-${round}-${index}`))
    const first = await list(url, '?limit=10')
    const second = await list(url, `?limit=10&cursor=${first.next_cursor}`)
    const listed = [...first.payments, ...second.payments].map(({ reference }) => reference)
    assert.deepEqual(listed, expected)
    assert.deepEqual([second.count, second.total_amount, second.has_more], [15, '1500.00', false])
  })

  it('keeps a cursor valid over a restart', async (t) => {
    const logFile = newLogFile(t)
    const bank = await startBank(t, { logFile })
    await postAll(bank.url, orders(20, 'payment'))
    const { next_cursor } = await list(bank.url, '?limit=15')
    await bank.stop()
    const { url } = await startBank(t, { logFile })
    const { payments } = await list(url, `?cursor=${next_cursor}`)
    assert.deepEqual(
      payments.map(({ reference }) => reference),
      referencesInLog(logFile).slice(15)
    )
  })
})
