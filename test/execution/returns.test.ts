import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { closeAccount } from '../../src/accounts/manage-account.ts'
import { listTransactions } from '../../src/accounts/read-accounts.ts'
import type { BankNotice } from '../../src/banking/bank-notice.ts'
import { ownOrigin } from '../../src/context.ts'
import { receiveNotices, settleNotices } from '../../src/execution/notices.ts'
import { anOrganization, payer } from '../support/builders.ts'
import type { TestContext } from '../support/context.ts'
import { createStage, noticeOf, workOff } from './stage.ts'

const stage = await createStage()
const { arrange, incidents, money, prove } = stage

/** A bulk that was executed whole. */
async function executed(transfers = 3) {
  const scene = await arrange({ transfers })
  await workOff(scene.context)
  const all = await scene.transfers()
  return { ...scene, all, first: all[0]! }
}

async function tell(context: TestContext, ...notices: BankNotice[]): Promise<string[]> {
  const receipts = await receiveNotices(context, notices, 'callback')
  await settleNotices(context)
  return receipts.map(({ verdict }) => verdict)
}

async function lines(organization_id: number) {
  const query = { organization_id, iban: payer.organization_iban, before_line_no: null, limit: 1000 }
  return (await listTransactions(stage.db, query)).map(({ line, kind, amount }) => [line, kind, amount])
}

describe('a return', () => {
  it('beside another one of the same transfer opens an incident, also when both are told in one call', async () => {
    const { context, organizationId, first } = await executed()
    const [one, other] = ['30.00', '20.00'].map((amount) => noticeOf(first, 'RETURNED', { amount }))
    await tell(context, one!, other!)
    await stage.sql('update notice set due_at = now() where due_at is not null')
    await settleNotices(context)
    assert.deepEqual(
      (await incidents(organizationId)).map(({ kind }) => kind),
      ['contradictory-result']
    )
    assert.equal((await lines(organizationId)).filter(([, kind]) => kind === 'RETURN').length, 1)
  })

  it('credits the account once however often it is told, and leaves true what was executed', async () => {
    const { context, organizationId, counts, status, first, transfers } = await executed()
    const before = await status()
    const notice = noticeOf(first, 'RETURNED')
    for (let time = 0; time < 3; time++) await tell(context, notice, notice, noticeOf(first, 'RETURNED'))
    assert.deepEqual(await counts(), { status: 'COMPLETED', executed: 3, returned: 1 })
    const after = await status()
    assert.deepEqual([after.final, after.completed_at], [true, before.completed_at])
    assert.deepEqual(after.executed, before.executed)
    assert.deepEqual(await money(organizationId), ['99800.00', '0.00'])
    assert.deepEqual((await lines(organizationId))[0], [5, 'RETURN', '100.00'])
    const [returned, other] = await transfers()
    const { at, ...said } = returned!.returned!
    assert.deepEqual(said, { amount: '100.00', code: 'AC06', reason: 'the bank says so' })
    assert.deepEqual([returned?.status, returned?.updated_at, other?.status], ['RETURNED', at, 'EXECUTED'])
    assert.deepEqual(await incidents(organizationId), [])
  })

  it('may be of a part, when the bank keeps a fee, but never of more or of nothing', async () => {
    const { context, organizationId, status, first } = await executed()
    for (const amount of ['100.01', '0.00', '-1.00', 'x'])
      assert.deepEqual(await tell(context, noticeOf(first, 'RETURNED', { amount })), ['different-payment'])
    assert.deepEqual(await tell(context, noticeOf(first, 'RETURNED', { amount: '97.50' })), ['kept'])
    assert.deepEqual((await status()).returned, { count: 1, amount: '97.50' })
    assert.deepEqual(await money(organizationId), ['99797.50', '0.00'])
  })

  it('of what an account paid before it was closed is booked on it', async () => {
    const context = await stage.open()
    const organization_id = await anOrganization(stage.db, { funds_minor: 100_00n })
    const { transfers } = await stage.submit(context, organization_id)
    await workOff(context)
    assert.ok(await closeAccount(stage.db, { organization_id, iban: payer.organization_iban }, ownOrigin))
    const [transfer] = await transfers()
    await tell(context, noticeOf(transfer!, 'RETURNED'))
    assert.deepEqual(await money(organization_id), ['100.00', '0.00'])
  })

  it('needs no reason', async () => {
    const { context, first, transfers } = await executed(1)
    await tell(context, noticeOf(first, 'RETURNED', { reason_code: null, reason: null }))
    const [returned] = await transfers()
    assert.deepEqual([returned?.returned?.code, returned?.returned?.reason], [null, null])
  })

  it('that comes before its execution waits for it, and is booked after it', async () => {
    const { context, organizationId, counts, transfers } = await arrange({ transfers: 1 })
    context.bank.script = () => ({ outcome: 'taken' })
    await workOff(context)
    const [transfer] = await transfers()
    await tell(context, noticeOf(transfer!, 'RETURNED'))
    assert.deepEqual(await counts(), { status: 'PROCESSING', processing: 1 })
    context.bank.executed.set(transfer!.transfer_id, context.bank.orders.get(transfer!.transfer_id)!)
    await tell(context, noticeOf(transfer!, 'EXECUTED'))
    await workOff(context)
    await stage.finish(context)
    assert.deepEqual(await counts(), { status: 'COMPLETED', executed: 1, returned: 1 })
    assert.deepEqual(await money(organizationId), ['100000.00', '0.00'])
    assert.deepEqual(await lines(organizationId), [
      [3, 'RETURN', '100.00'],
      [2, 'TRANSFER', '-100.00'],
      [1, 'DEPOSIT', '100000.00']
    ])
  })

  it('of what was cancelled is an incident and no money', async () => {
    const { context, organizationId, transfers } = await arrange({ transfers: 20, on_failure: 'stop' })
    context.bank.script = () => ({ outcome: 'rejected', code: 'AC04', message: '' })
    await workOff(context)
    const cancelled = (await transfers()).find(({ status }) => status === 'CANCELLED')
    await tell(context, noticeOf(cancelled!, 'RETURNED'))
    assert.deepEqual(await money(organizationId), ['100000.00', '0.00'])
    assert.equal((await incidents(organizationId)).length, 1)
  })

  it('told by all at once, and settled by several, is booked once for each', async () => {
    const { context, organizationId, counts, all } = await executed(300)
    const notices = all.flatMap((transfer) => [
      noticeOf(transfer, 'RETURNED'),
      noticeOf(transfer, 'RETURNED')
    ])
    await receiveNotices(context, notices, 'callback')
    await receiveNotices(context, notices, 'statement')
    let looked = 1
    while (looked > 0) {
      const rounds = await Promise.all([1, 2, 3].map(() => settleNotices(context)))
      looked = rounds.reduce((sum, round) => sum + round)
    }
    assert.deepEqual(await counts(), { status: 'COMPLETED', executed: 300, returned: 300 })
    assert.deepEqual(await money(organizationId), ['100000.00', '0.00'])
    assert.deepEqual(
      (await lines(organizationId)).map(([line]) => line),
      Array.from({ length: 601 }, (_, nr) => 601 - nr)
    )
  })
})

it('none of this breaks an invariant', prove)
