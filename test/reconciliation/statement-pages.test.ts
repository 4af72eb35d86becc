import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { listOpenIncidents } from '../../src/incidents/incidents.ts'
import { notReconciled, reconcile, type Reconciled } from '../../src/reconciliation/reconcile.ts'
import { showStatement } from '../support/bank-statement.ts'
import { aTransfer } from '../support/builders.ts'
import { makeLedger } from './ledger.ts'

/** A ledger with three transfers of 100.00 that were executed an hour ago. */
async function executedLedger() {
  const ledger = await makeLedger()
  const reference = await ledger.submit({ transfers: 3 })
  await ledger.work()
  await ledger.letAnHourPass()
  return { ledger, reference, lines: [0, 1, 2].map((seq) => ({ reference: reference(seq) })) }
}

describe('reading a statement in pages', () => {
  it('tells of many payments of others by one incident a page', async () => {
    const { ledger, lines } = await executedLedger()
    const others = Array.from({ length: 97 }, (_, nr) => ({ reference: `RENT-${nr}` }))
    showStatement(ledger.context.bank, [...lines, ...others], 50)
    await ledger.reconcile()
    const told = await listOpenIncidents(ledger.database.db, {})
    assert.deepEqual(
      told.map(({ subject, details }) => [subject, details]),
      [
        [
          "entries 51 to 100 of the bank's statement",
          '50 of them are of no transfer of ours, the first of RENT-47'
        ],
        [
          "entries 4 to 50 of the bank's statement",
          '47 of them are of no transfer of ours, the first of RENT-0'
        ]
      ]
    )
  })

  it('keeps its place after each page, and goes on from there when the bank was away', async () => {
    const { ledger, lines } = await executedLedger()
    const statement = showStatement(ledger.context.bank, lines, 1)
    const kept: string[] = []
    const keep = (reached: Reconciled, progress: string) => {
      kept.push(`${reached.cursor ?? ''}: ${progress}`)
      return Promise.resolve('go-on' as const)
    }
    statement.unavailable.add('2')
    const away = await reconcile(ledger.context, notReconciled, keep)
    assert.ok(away.reached.not_shown_since !== null)
    assert.deepEqual(away, {
      reached: { ...notReconciled, cursor: '2', not_shown_since: away.reached.not_shown_since },
      result: 'the bank does not show its statement: http-503'
    })
    assert.deepEqual(kept, ['1: 1 lines compared', '2: 2 lines compared'])
    assert.deepEqual(await ledger.incidents(), [])

    statement.unavailable.clear()
    const { result } = await reconcile(ledger.context, away.reached, keep)
    assert.equal(result, '1 lines compared, 0 transfers missing')
    assert.deepEqual(statement.reads, [null, '1', '2', '2'])
  })

  it('loses and doubles nothing when it dies after a page that it could not keep', async () => {
    const { ledger, reference, lines } = await executedLedger()
    const back = { kind: 'RETURN' as const, reference: reference(0), amount: '10.00' }
    showStatement(ledger.context.bank, [lines[0]!, back, lines[1]!, lines[2]!], 2)
    let kept: Reconciled = notReconciled
    const died = reconcile(ledger.context, kept, () => Promise.reject(new Error('killed')))
    await assert.rejects(died, /killed/)
    const keep = (reached: Reconciled) => {
      kept = reached
      return Promise.resolve('go-on' as const)
    }
    const { result } = await reconcile(ledger.context, kept, keep)
    await ledger.settle()
    assert.equal(result, '4 lines compared, 0 transfers missing')
    assert.deepEqual(await ledger.ends(), ['EXECUTED -100 10', 'EXECUTED -100', 'EXECUTED -100'])
    assert.deepEqual(await ledger.incidents(), [])
  })

  it('stops after a page when it is told to', async () => {
    const { ledger, lines } = await executedLedger()
    showStatement(ledger.context.bank, lines, 1)
    const stopped = await reconcile(ledger.context, notReconciled, () => Promise.resolve('stop'))
    assert.deepEqual(stopped, {
      reached: { ...notReconciled, cursor: '1' },
      result: '1 lines compared, to be continued'
    })
  })

  it('does not go round in a circle when the bank says that there is more and shows nothing', async () => {
    const { ledger } = await executedLedger()
    ledger.context.bank.readStatement = () =>
      Promise.resolve({ outcome: 'page', entries: [], next_cursor: 'same', has_more: true })
    const { result } = await ledger.reconcile()
    assert.equal(result, 'the bank does not show its statement: it does not go on')
  })

  it('compares 5000 lines', async () => {
    const ledger = await makeLedger()
    const lines: { reference: string; amount: string }[] = []
    for (let bulk = 0; bulk < 5; bulk++) {
      const reference = await ledger.submit({
        credit_transfers: Array.from({ length: 1000 }, () => aTransfer({ amount: '1.00' }))
      })
      for (let seq = 0; seq < 1000; seq++) lines.push({ reference: reference(seq), amount: '1.00' })
    }
    await ledger.work()
    await ledger.letAnHourPass()
    const missing = lines.pop()
    showStatement(ledger.context.bank, lines.toReversed(), 200)
    assert.equal((await ledger.reconcile()).result, '4999 lines compared, 1 transfers missing')
    const rows = await ledger.database.sql('select subject from incident')
    assert.deepEqual(rows, [{ subject: `transfer ${missing?.reference ?? ''}` }])
  })
})
