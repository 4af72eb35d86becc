import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { advance, ask, ibanOf, newLogFile, order, orders, orderTo, post } from './bank-harness.ts'
import { postAll, startBank } from './bank-harness.ts'

interface Statement {
  entries: { entry_no: number; kind: string; reference: string; amount: string; booked_at: string }[]
  has_more: boolean
  next_cursor: string
}

const read = async (url: string, query = '') => (await ask(`${url}/statement${query}`)).body as Statement

describe('sandbox bank statement', () => {
  it('has an entry for every execution and every return, in the order of their booking', async (t) => {
    const { url } = await startBank(t)
    await post(url, orderTo('returned-partly', { reference: 'part' }))
    await post(url, orderTo('accepted-then-executed', { reference: 'later' }))
    await post(url, orderTo('reject-AC01', { reference: 'rejected' }))
    await post(url, order({ reference: 'ordinary' }))
    await advance(url, 10)
    const { entries, has_more } = await read(url)
    assert.equal(has_more, false)
    assert.deepEqual(
      entries.map(({ entry_no, kind, reference, amount }) => [entry_no, kind, reference, amount]),
      [
        [1, 'DEBIT', 'part', '100.00'],
        [2, 'DEBIT', 'ordinary', '100.00'],
        [3, 'DEBIT', 'later', '100.00'],
        [4, 'RETURN', 'part', '99.99']
      ]
    )
    const times = entries.map(({ booked_at }) => booked_at)
    assert.deepEqual(times, times.toSorted())
    const { body } = await ask(`${url}/payments/part`)
    assert.deepEqual(entries[3], {
      ...{ entry_no: 4, kind: 'RETURN', reference: 'part', amount: '99.99', currency: 'EUR' },
      counterparty_iban: ibanOf('returned-partly'),
      booked_at: (body as { return: { returned_at: string } }).return.returned_at,
      reason: { code: 'AC04', message: 'Closed account' }
    })
  })

  it('lets a client come back later and go on, over a restart too', async (t) => {
    const logFile = newLogFile(t)
    const bank = await startBank(t, { logFile })
    const empty = await read(bank.url)
    assert.deepEqual([empty.entries, empty.has_more, typeof empty.next_cursor], [[], false, 'string'])
    const seen: number[] = []
    let cursor = empty.next_cursor
    const readOn = async (url: string) => {
      for (;;) {
        const page = await read(url, `?limit=7&cursor=${cursor}`)
        seen.push(...page.entries.map(({ entry_no }) => entry_no))
        cursor = page.next_cursor
        if (!page.has_more) return
      }
    }
    await readOn(bank.url)
    await postAll(bank.url, orders(20, 'first', { counterparty_iban: ibanOf('returned-after-5s') }))
    await readOn(bank.url)
    assert.equal(seen.length, 20)
    await advance(bank.url, 5)
    await readOn(bank.url)
    await bank.stop()
    const { url } = await startBank(t, { logFile })
    await readOn(url)
    await postAll(url, orders(10, 'second'))
    await readOn(url)
    assert.deepEqual(
      seen,
      Array.from({ length: 50 }, (_, index) => index + 1)
    )
  })
})
