import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BankNotice } from '../../src/banking/bank-notice.ts'
import type { BankAnswer } from '../../src/banking/connector.ts'
import { askBank, claimWork, recordClaim } from '../../src/execution/execute-claim.ts'
import { receiveNotices, resolveTransfer, settleNotices } from '../../src/execution/notices.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { parseTransferId } from '../../src/domain/reference.ts'
import type { TestContext } from '../support/context.ts'
import { claim, createStage, noticeOf, workOff } from './stage.ts'

const stage = await createStage()
const { arrange, incidents, money, letTimePass, prove } = stage

const taken: BankAnswer = { outcome: 'taken' }
const timeout: BankAnswer = { outcome: 'unknown', cause: 'timeout' }
const rejection: BankAnswer = { outcome: 'rejected', code: 'AC04', message: '' }

/** A bulk that was sent, and of which the bank said this. */
async function sent(answer: BankAnswer | 'execute', transfers = 1) {
  const scene = await arrange({ transfers })
  scene.context.bank.script = () => answer
  await workOff(scene.context)
  scene.context.bank.calls = []
  const all = await scene.transfers()
  return { ...scene, all, first: all[0]! }
}

/** The bank has executed it, whatever it answered. */
function bookAtBank({ bank }: TestContext, reference: string): void {
  const order = bank.orders.get(reference)
  assert.ok(order)
  bank.executed.set(reference, order)
}

/** The bank tells this, and it is looked at; then workers do what is due. */
async function tell(context: TestContext, ...notices: BankNotice[]): Promise<string[]> {
  const receipts = await receiveNotices(context, notices, 'callback')
  await settleNotices(context)
  await workOff(context)
  await letTimePassForNotices()
  await settleNotices(context)
  return receipts.map(({ verdict }) => verdict)
}

const letTimePassForNotices = () => stage.sql('update notice set due_at = now() where due_at is not null')
const openNotices = () => stage.sql('select notice_id from notice where due_at is not null')

describe('a notice of a result', () => {
  for (const [status, answer] of [
    ['SENT', taken],
    ['UNKNOWN', timeout]
  ] as const)
    it(`ends what is ${status} at once, without a question, once however often it comes`, async () => {
      const { context, organizationId, counts, first } = await sent(answer)
      bookAtBank(context, first.transfer_id)
      const notice = noticeOf(first, 'EXECUTED')
      for (let time = 0; time < 3; time++)
        assert.deepEqual(await tell(context, notice, notice), ['kept', 'kept'])
      assert.deepEqual(await counts(), { status: 'COMPLETED', executed: 1 })
      assert.deepEqual(await money(organizationId), ['99900.00', '0.00'])
      assert.deepEqual(
        [context.bank.calls, await openNotices(), await incidents(organizationId)],
        [[], [], []]
      )
    })

  it('of a rejection has the bank asked, and fails it with its code once the bank confirms it', async () => {
    const { context, organizationId, counts, first, transfers } = await sent(taken)
    context.bank.script = () => rejection
    await tell(context, noticeOf(first, 'REJECTED', { reason_code: null, reason: null }))
    assert.deepEqual(await counts(), { status: 'FAILED', failed: 1 })
    assert.equal((await transfers())[0]?.failure?.code, 'AC04')
    assert.deepEqual(await money(organizationId), ['100000.00', '0.00'])
  })

  it('that comes before the answer to the submit waits for it', async () => {
    const { context, counts, transfers } = await arrange({ transfers: 2 })
    const held = await claim(context)
    context.bank.script = () => taken
    const results = await askBank(context, held)
    const [one, other] = await transfers()
    bookAtBank(context, one!.transfer_id)
    await receiveNotices(context, [noticeOf(one!, 'EXECUTED'), noticeOf(other!, 'REJECTED')], 'callback')
    await settleNotices(context)
    assert.deepEqual(await counts(), { status: 'PROCESSING', processing: 2 })
    await recordClaim(context, held, results)
    await letTimePassForNotices()
    await settleNotices(context)
    context.bank.script = () => rejection
    await workOff(context)
    assert.deepEqual(await counts(), { status: 'PARTIALLY_COMPLETED', executed: 1, failed: 1 })
    assert.equal(context.bank.calls.length, 3)
  })

  it('is what the heir of a lost lease finds, who then does not ask', async () => {
    const { context, counts, transfers } = await arrange({ transfers: 1 })
    const dead = await claim(context)
    context.bank.script = () => taken
    await askBank(context, dead)
    const [transfer] = await transfers()
    bookAtBank(context, transfer!.transfer_id)
    await receiveNotices(context, [noticeOf(transfer!, 'EXECUTED')], 'callback')
    await letTimePass()
    await workOff(context)
    assert.deepEqual(await counts(), { status: 'COMPLETED', executed: 1 })
    assert.equal(context.bank.calls.length, 1)
  })

  it('ends three of a hundred that are SENT; the others are not asked about, and wait as before', async () => {
    const { context, counts, all } = await sent(taken, 100)
    const three = [all[5]!, all[50]!, all[99]!]
    for (const { transfer_id } of three) bookAtBank(context, transfer_id)
    await tell(context, ...three.map((transfer) => noticeOf(transfer, 'EXECUTED')))
    assert.deepEqual(await counts(), { status: 'PROCESSING', executed: 3, processing: 97 })
    assert.deepEqual(context.bank.calls, [])
    context.bank.script = () => timeout
    await letTimePass()
    await workOff(context)
    assert.equal(context.bank.calls.length, 97)
  })

  it('comes a thousand times at once', async () => {
    const { context, organizationId, counts, all } = await sent(taken, 1000)
    const notices = all.map((transfer, nr) => noticeOf(transfer, nr % 4 === 0 ? 'REJECTED' : 'EXECUTED'))
    for (const { reference, status } of notices) if (status === 'EXECUTED') bookAtBank(context, reference)
    context.bank.script = () => rejection
    await receiveNotices(context, notices, 'callback')
    for (let rounds = 0; rounds < 3; rounds++) {
      await Promise.all([settleNotices(context), settleNotices(context)])
      await Promise.all(Array.from({ length: 4 }, () => workOff(context)))
      await letTimePassForNotices()
    }
    while ((await settleNotices(context)) > 0);
    assert.deepEqual(await counts(), { status: 'PARTIALLY_COMPLETED', executed: 750, failed: 250 })
    assert.deepEqual([context.bank.calls.length, await openNotices()], [250, []])
    assert.deepEqual(await money(organizationId), ['25000.00', '0.00'])
  })
})

describe('a notice that does not fit', () => {
  it('is not kept: of no transfer of ours, or of another amount, currency or payee', async () => {
    const { context, counts, first } = await sent(taken)
    const wrong: [Partial<BankNotice>, string][] = [
      [{ reference: '' }, 'unknown-payment'],
      [{ reference: 'Ünknown\u0000' }, 'unknown-payment'],
      [{ reference: '01JDBZZZZZZZZZZZZZZZZZZZZZ-0' }, 'unknown-payment'],
      [{ reference: first.transfer_id.replace(/-0$/, '-1') }, 'unknown-payment'],
      [{ amount: '100.01' }, 'different-payment'],
      [{ amount: '-100.00' }, 'different-payment'],
      [{ amount: '1e2' }, 'different-payment'],
      [{ amount: '99999999999999999999999999999' }, 'different-payment'],
      [{ currency: 'USD' }, 'different-payment'],
      [{ counterparty_iban: 'FR7630006000011234567890189' }, 'different-payment']
    ]
    for (const [change, verdict] of wrong)
      assert.deepEqual(
        await tell(context, noticeOf(first, 'EXECUTED', change)),
        [verdict],
        JSON.stringify(change)
      )
    assert.deepEqual(await counts(), { status: 'PROCESSING', processing: 1 })
    const mixed = wrong.map(([change]) => noticeOf(first, 'EXECUTED', change))
    bookAtBank(context, first.transfer_id)
    const verdicts = await tell(context, ...mixed, noticeOf(first, 'EXECUTED'))
    assert.deepEqual(verdicts, [...wrong.map(([, verdict]) => verdict), 'kept'])
    assert.deepEqual(await counts(), { status: 'COMPLETED', executed: 1 })
  })
})

describe('contradictory notices', () => {
  for (const [answer, status] of [
    ['execute', 'REJECTED'],
    [rejection, 'EXECUTED'],
    [rejection, 'RETURNED']
  ] as const)
    it(`of what has ended (${status} after ${answer === 'execute' ? 'EXECUTED' : 'FAILED'}) change nothing and open one incident`, async () => {
      const { context, organizationId, counts, first, status: read } = await sent(answer)
      const before = [await counts(), await money(organizationId)]
      for (let time = 0; time < 3; time++) await tell(context, noticeOf(first, status))
      assert.deepEqual([await counts(), await money(organizationId)], before)
      assert.deepEqual(
        (await incidents(organizationId)).map(({ kind }) => kind),
        ['contradictory-result']
      )
      assert.deepEqual([(await read()).needs_attention, await openNotices()], [true, []])
    })

  it('of an open transfer: the bank is asked, its answer decides, and one incident says so', async () => {
    const { context, organizationId, counts, first } = await sent(taken)
    await tell(context, noticeOf(first, 'EXECUTED'), noticeOf(first, 'REJECTED'))
    assert.deepEqual(await counts(), { status: 'PROCESSING', processing: 1 })
    context.bank.script = () => rejection
    await stage.finish(context)
    assert.deepEqual(await counts(), { status: 'FAILED', failed: 1 })
    assert.deepEqual(
      context.bank.calls.map(({ kind }) => kind),
      ['inquire', 'inquire']
    )
    assert.equal((await incidents(organizationId)).length, 1)
    assert.deepEqual(await openNotices(), [])
  })

  it('of an open transfer at a silent bank have it asked ever less often, as without them', async () => {
    const { context, first } = await sent(taken)
    await tell(context, noticeOf(first, 'EXECUTED'), noticeOf(first, 'REJECTED'))
    await stage.sql(`begin; set local session_replication_role = replica;
      update notice set received_at = now() - interval '10 minutes', due_at = now() where due_at is not null; commit`)
    assert.equal(await settleNotices(context), 2)
    const rows = await stage.sql<{ wait: string }>(
      'select extract(epoch from due_at - now()) as wait from notice where due_at is not null'
    )
    assert.deepEqual(
      rows.map(({ wait }) => Math.round(Number(wait) / 60)),
      [5, 5]
    )
  })
})

describe("an operator's word", () => {
  const word = { operator: 'Ada', evidence: 'letter of the bank of 3 May' }
  const idOf = (transfer: { transfer_id: string }) => parseTransferId(transfer.transfer_id)!
  const failed = { ...word, status: 'FAILED' as const, reason_code: 'AC04' }
  const executed = { ...word, status: 'EXECUTED' as const, reason_code: null }

  for (const answer of [taken, timeout])
    it(`ends what is ${answer.outcome}, once, through a worker and without a question`, async () => {
      const { context, organizationId, counts, all } = await sent(answer, 2)
      bookAtBank(context, all[0]!.transfer_id)
      assert.deepEqual(await resolveTransfer(context, idOf(all[0]!), executed), { outcome: 'recorded' })
      assert.deepEqual(await resolveTransfer(context, idOf(all[1]!), failed), { outcome: 'recorded' })
      assert.deepEqual(await resolveTransfer(context, idOf(all[1]!), executed), { outcome: 'not-open' })
      await tell(context)
      assert.deepEqual(await counts(), { status: 'PARTIALLY_COMPLETED', executed: 1, failed: 1 })
      assert.deepEqual(await money(organizationId), ['99900.00', '0.00'])
      assert.deepEqual([context.bank.calls, await openNotices()], [[], []])
    })

  it('decides where the bank told two ends by itself, and one incident says that it did', async () => {
    const { context, organizationId, counts, first } = await sent(timeout)
    await receiveNotices(context, [noticeOf(first, 'EXECUTED'), noticeOf(first, 'REJECTED')], 'callback')
    assert.deepEqual(await resolveTransfer(context, idOf(first), failed), { outcome: 'recorded' })
    await tell(context)
    assert.deepEqual(await counts(), { status: 'FAILED', failed: 1 })
    assert.equal((await incidents(organizationId)).length, 1)
  })

  it('ends nothing that was not sent, is being sent, has ended or does not exist', async () => {
    const { context, transfers } = await arrange({ transfers: 2 }, { CHUNK_SIZE: 1 })
    const [one] = await transfers()
    const no = { outcome: 'not-open' }
    assert.deepEqual(await resolveTransfer(context, idOf(one!), executed), no)
    const held = await claimWork(context, 'test')
    assert.deepEqual(await resolveTransfer(context, idOf(one!), executed), no)
    await executeClaim(context, held!)
    assert.deepEqual(await resolveTransfer(context, idOf(one!), failed), no)
    assert.deepEqual(await resolveTransfer(context, { ...idOf(one!), seq: 999 }, failed), no)
  })

  it('that the bank contradicts later stays, and opens an incident', async () => {
    const { context, organizationId, counts, first } = await sent(timeout)
    await resolveTransfer(context, idOf(first), failed)
    await tell(context)
    await tell(context, noticeOf(first, 'EXECUTED'))
    assert.deepEqual(await counts(), { status: 'FAILED', failed: 1 })
    assert.equal((await incidents(organizationId)).length, 1)
  })
})

it('none of this breaks an invariant', prove)
