import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cancelBulk } from '../../src/execution/cancel-bulk.ts'
import { listOpenIncidents } from '../../src/incidents/incidents.ts'
import { notReconciled, reconcile } from '../../src/reconciliation/reconcile.ts'
import { showStatement } from '../support/bank-statement.ts'
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

const allIncidents = async (ledger: Ledger) =>
  (await listOpenIncidents(ledger.database.db, {})).map(({ kind }) => kind)

/** Returns that were booked before the time in which a bank may still be late with its statement. */
const makeReturnsOld = (ledger: Ledger) =>
  ledger.database.sql(`begin; set local session_replication_role = replica;
    update transfer_return set recorded_at = recorded_at - interval '2 minutes'; commit`)

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

  it('tells of a return that was booked by callback, and that the statement does not have', async () => {
    const { ledger, reference, lines } = await executedLedger()
    const statement = showStatement(ledger.context.bank, lines)
    await tellByCallback(ledger, { reference: reference(1), status: 'RETURNED', amount: '60.00' })
    await ledger.settle()
    await makeReturnsOld(ledger)
    await ledger.reconcile()
    assert.deepEqual(await ledger.incidents(), [
      "missing-at-bank: it is booked here, and the bank's statement does not have it"
    ])
    statement.book([{ kind: 'RETURN', reference: reference(1), amount: '60.00' }])
    await ledger.reconcile()
    assert.deepEqual(await ledger.incidents(), [])
  })

  it('tells of a return of another amount than was booked', async () => {
    const { ledger, reference, lines } = await executedLedger()
    await tellByCallback(ledger, { reference: reference(1), status: 'RETURNED', amount: '60.00' })
    await ledger.settle()
    showStatement(ledger.context.bank, [
      ...lines,
      { kind: 'RETURN', reference: reference(1), amount: '59.00' }
    ])
    await ledger.reconcile()
    await ledger.settle()
    assert.match((await ledger.incidents()).join(), /^contradictory-result: it is EXECUTED, 6000 minor units/)
    assert.deepEqual((await ledger.ends())[1], 'EXECUTED -100 60')
  })

  it('is missed after five minutes, and no longer once it is shown again', async () => {
    const { ledger, lines } = await executedLedger()
    ledger.context.bank.readStatement = () => Promise.resolve({ outcome: 'unavailable', cause: 'http-400' })
    const keep = () => Promise.resolve('go-on' as const)
    const { reached } = await reconcile(ledger.context, notReconciled, keep)
    assert.deepEqual(await allIncidents(ledger), [])
    const earlier = new Date(Date.now() - 6 * 60_000).toISOString()
    await reconcile(ledger.context, { ...reached, not_shown_since: earlier }, keep)
    assert.deepEqual(await allIncidents(ledger), ['statement-not-shown'])
    showStatement(ledger.context.bank, lines)
    const read = await reconcile(ledger.context, { ...reached, not_shown_since: earlier }, keep)
    assert.equal(read.reached.not_shown_since, null)
    assert.deepEqual(await allIncidents(ledger), [])
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
