import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cancelBulk } from '../../src/execution/cancel-bulk.ts'
import { notReconciled, reconcile, type Reconciled } from '../../src/reconciliation/reconcile.ts'
import { showStatement } from '../support/bank-statement.ts'
import { aTransfer } from '../support/builders.ts'
import { makeLedger, tellByCallback, type Ledger } from './ledger.ts'

/** A ledger with three transfers of 100.00 that were executed an hour ago. */
async function executedLedger() {
  const ledger = await makeLedger()
  const reference = await ledger.submit({ transfers: 3 })
  await ledger.work()
  await ledger.letAnHourPass()
  return { ledger, reference, lines: [0, 1, 2].map((seq) => ({ reference: reference(seq) })) }
}

/** A ledger with one transfer of 100.00 of which the bank did what it does without saying so. */
async function silentLedger(change: Parameters<Ledger['submit']>[0] = {}) {
  const ledger = await makeLedger()
  const { bank } = ledger.context
  bank.script = (order) => {
    bank.executed.set(order.reference, order)
    return { outcome: 'unknown', cause: 'timeout' }
  }
  const reference = await ledger.submit({ transfers: 1, ...change })
  await ledger.work()
  assert.deepEqual(await ledger.ends(), ['UNKNOWN'])
  return { ledger, reference }
}

const entriesOf = ({ database }: Ledger) =>
  database.sql('select seq, kind, entry_no, amount_minor from statement_entry order by entry_no')

describe("the bank's statement beside the ledger", () => {
  it('finds that all agrees, and keeps the lines', async () => {
    const { ledger, lines } = await executedLedger()
    showStatement(ledger.context.bank, lines)
    const { reached, result } = await ledger.reconcile()
    assert.equal(result, '3 lines compared, 0 transfers missing')
    assert.equal(reached.cursor, '3')
    assert.deepEqual(await ledger.incidents(), [])
    assert.deepEqual(
      await entriesOf(ledger),
      [0, 1, 2].map((seq) => ({ seq, kind: 'DEBIT', entry_no: `${seq + 1}`, amount_minor: '10000' }))
    )
    assert.deepEqual(await ledger.violations(), [])
  })

  it('tells of a transfer that is missing, until it comes', async () => {
    const { ledger, reference, lines } = await executedLedger()
    const statement = showStatement(ledger.context.bank, lines.slice(0, 2))
    assert.equal((await ledger.reconcile()).result, '2 lines compared, 1 transfers missing')
    const told = ["missing-at-bank: it is EXECUTED, and the bank's statement does not have it"]
    assert.deepEqual(await ledger.incidents(), told)
    const [incident] = await ledger.database.sql('select subject, organization_id, seq from incident')
    assert.deepEqual(incident, {
      subject: `transfer ${reference(2)}`,
      organization_id: ledger.organization_id,
      seq: 2
    })
    assert.equal((await ledger.reconcile()).result, '0 lines compared, 0 transfers missing')
    assert.deepEqual(await ledger.incidents(), told)

    statement.book(lines.slice(2))
    await ledger.reconcile()
    assert.deepEqual(await ledger.incidents(), [])
  })

  it('misses nothing that became final a moment ago', async () => {
    const ledger = await makeLedger()
    await ledger.submit({ transfers: 1 })
    await ledger.work()
    showStatement(ledger.context.bank, [])
    assert.equal((await ledger.reconcile()).result, '0 lines compared, 0 transfers missing')
    await ledger.letAnHourPass()
    await ledger.reconcile(notReconciled)
    assert.equal((await ledger.incidents()).length, 1)
  })

  for (const { what, of, known } of [
    { what: 'that is no reference of ours', of: () => 'RENT JULY', known: false },
    { what: 'of a bulk that is not there', of: () => '01JZ0000000000000000000000-0', known: false },
    {
      what: 'of a place that its bulk does not have',
      of: (reference: (seq: number) => string) => reference(3),
      known: true
    }
  ])
    it(`tells of a payment ${what}`, async () => {
      const { ledger, reference, lines } = await executedLedger()
      showStatement(ledger.context.bank, [...lines, { reference: of(reference) }])
      await ledger.reconcile()
      assert.deepEqual(await ledger.incidents(), [
        `unexpected-at-bank: DEBIT 100.00 EUR of ${of(reference)}: there is no such transfer`
      ])
      const [incident] = await ledger.database.sql('select subject, organization_id from incident')
      assert.deepEqual(incident, {
        subject: "entry 4 of the bank's statement",
        organization_id: known ? ledger.organization_id : null
      })
    })

  for (const [what, change] of [
    ['another amount', { amount: '100.01' }],
    ['an amount that is none', { amount: 'much' }],
    ['another currency', { currency: 'USD' }],
    ['a currency that is none', { currency: 'XXX' }],
    ['another payee', { counterparty_iban: 'NL91ABNA0417164300' }],
    ['a return of more than was sent', { kind: 'RETURN' as const, amount: '100.01' }]
  ] as const)
    it(`tells of a line with ${what}, and takes nothing from it`, async () => {
      const { ledger, reference, lines } = await executedLedger()
      const line = { kind: 'DEBIT', amount: '100.00', currency: 'EUR', ...change }
      showStatement(ledger.context.bank, [...lines.slice(1), { reference: reference(0), ...change }])
      await ledger.reconcile()
      await ledger.settle()
      assert.deepEqual(await ledger.incidents(), [
        `different-at-bank: ${line.kind} ${line.amount} ${line.currency} of ${reference(0)}: the transfer has another amount, currency or payee`,
        "missing-at-bank: it is EXECUTED, and the bank's statement does not have it"
      ])
      assert.deepEqual(await ledger.ends(), ['EXECUTED -100', 'EXECUTED -100', 'EXECUTED -100'])
    })

  for (const [where, pageSize, runs] of [
    ['in one page', 100, 1],
    ['over two pages', 3, 1],
    ['over two runs', 100, 2]
  ] as const)
    it(`tells of a transfer that was booked twice ${where}`, async () => {
      const { ledger, reference, lines } = await executedLedger()
      const statement = showStatement(ledger.context.bank, lines, pageSize)
      if (runs === 2) await ledger.reconcile()
      statement.book([{ reference: reference(1) }])
      await ledger.reconcile()
      assert.deepEqual(await ledger.incidents(), [
        `booked-twice-at-bank: DEBIT 100.00 EUR of ${reference(1)}: it was booked as entry 2 before`
      ])
      assert.equal((await entriesOf(ledger)).length, 3)
    })

  it('changes nothing when it reads again what it has read', async () => {
    const { ledger, reference, lines } = await executedLedger()
    const back = { kind: 'RETURN' as const, reference: reference(0), amount: '30.00' }
    showStatement(ledger.context.bank, [...lines, { reference: reference(1) }, back, { reference: 'RENT' }])
    const look = async () => [
      await entriesOf(ledger),
      await ledger.ends(),
      await ledger.incidents(),
      await ledger.database.sql('select seq, status, notice_id from notice')
    ]
    await ledger.reconcile()
    await ledger.settle()
    const before = await look()
    assert.deepEqual(before[1], ['EXECUTED -100 30', 'EXECUTED -100', 'EXECUTED -100'])
    for (let time = 0; time < 2; time++) {
      await ledger.reconcile(notReconciled)
      await ledger.settle()
    }
    assert.deepEqual(await look(), before)
  })
})

describe("the bank's statement as its word", () => {
  it('ends an UNKNOWN transfer that it has', async () => {
    const { ledger, reference } = await silentLedger()
    showStatement(ledger.context.bank, [{ reference: reference(0) }])
    await ledger.reconcile()
    const calls = ledger.context.bank.calls.length
    await ledger.settle()
    assert.deepEqual(await ledger.ends(), ['EXECUTED -100'])
    assert.equal(ledger.context.bank.calls.length, calls)
    assert.deepEqual(await ledger.incidents(), [])
    assert.deepEqual(await ledger.violations(), [])
  })

  it('raises the alarm for a debit of a FAILED transfer, and changes nothing', async () => {
    const ledger = await makeLedger()
    ledger.context.bank.script = () => ({ outcome: 'rejected', code: 'AC04', message: 'Closed account' })
    const reference = await ledger.submit({ transfers: 1 })
    await ledger.work()
    showStatement(ledger.context.bank, [{ reference: reference(0) }])
    await ledger.reconcile()
    await ledger.settle()
    assert.deepEqual(await ledger.ends(), ['FAILED'])
    assert.deepEqual(await ledger.incidents(), [
      'contradictory-result: it is FAILED, and by statement it was told to be EXECUTED'
    ])
    assert.deepEqual(await ledger.violations(), [])
  })

  it('raises the alarm for a debit of a CANCELLED transfer, and changes nothing', async () => {
    const ledger = await makeLedger()
    const request_id = '11111111-1111-4111-8111-111111111111'
    const reference = await ledger.submit({ transfers: 1, request_id })
    await cancelBulk(ledger.context, ledger.organization_id, request_id)
    showStatement(ledger.context.bank, [{ reference: reference(0) }])
    await ledger.reconcile()
    await ledger.settle()
    assert.deepEqual(await ledger.ends(), ['CANCELLED'])
    assert.deepEqual(await ledger.incidents(), [
      'contradictory-result: it is CANCELLED, and by statement it was told to be EXECUTED'
    ])
  })

  for (const [who, byCallback] of [
    ['no callback told', 'never'],
    ['a callback told before', 'before'],
    ['a callback tells at the same time', 'meanwhile'],
    ['a callback tells after', 'after']
  ] as const)
    it(`books a return once of which ${who}`, async () => {
      const { ledger, reference, lines } = await executedLedger()
      const tell = () =>
        tellByCallback(ledger, { reference: reference(1), status: 'RETURNED', amount: '60.00' })
      showStatement(ledger.context.bank, [
        ...lines,
        { kind: 'RETURN', reference: reference(1), amount: '60.00' }
      ])
      if (byCallback === 'before' || byCallback === 'meanwhile') await tell()
      if (byCallback === 'before') await ledger.settle()
      await ledger.reconcile()
      await ledger.settle()
      if (byCallback === 'after') await tell()
      await ledger.settle()
      assert.deepEqual(await ledger.ends(), ['EXECUTED -100', 'EXECUTED -100 60', 'EXECUTED -100'])
      assert.deepEqual(await ledger.incidents(), [])
      assert.deepEqual(await ledger.violations(), [])
    })

  it('books a return that stands before its debit', async () => {
    const { ledger, reference } = await silentLedger()
    const statement = showStatement(ledger.context.bank, [{ kind: 'RETURN', reference: reference(0) }])
    await ledger.reconcile()
    await ledger.settle()
    assert.deepEqual(await ledger.ends(), ['UNKNOWN'])
    statement.book([{ reference: reference(0) }])
    await ledger.reconcile()
    await ledger.settle()
    assert.deepEqual(await ledger.ends(), ['EXECUTED -100 100'])
    assert.deepEqual(await ledger.incidents(), [])
    assert.deepEqual(await ledger.violations(), [])
  })
})

describe('reading a statement in pages', () => {
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
    assert.deepEqual(away, {
      reached: { cursor: '2', compared_until: notReconciled.compared_until },
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
      reached: { cursor: '1', compared_until: notReconciled.compared_until },
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

  it('compares 5000 lines', { timeout: 60_000 }, async () => {
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
