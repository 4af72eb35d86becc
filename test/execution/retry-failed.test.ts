import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { executeClaim } from '../../src/execution/worker.ts'
import { readBulk } from '../../src/transfers/read-bulk.ts'
import { retryFailed } from '../../src/transfers/retry-failed.ts'
import { submitBulk } from '../../src/transfers/submit-bulk.ts'
import { aBulk, anOrganization, aTransfer } from '../support/builders.ts'
import type { TestContext } from '../support/context.ts'
import { claim, createStage, workOff } from './stage.ts'

const stage = await createStage()
const { arrange, db, money, prove } = stage

const rejection = { outcome: 'rejected' as const, code: 'AC04', message: 'closed account' }
const endsIn = (reference: string, places: number[]) => places.includes(Number(reference.split('-')[1]))

/** A bulk that has ended, of which some transfers failed. */
async function partlyFailed(failed: number[], change: Parameters<typeof aBulk>[0] = {}) {
  const scene = await arrange({ transfers: 6, ...change })
  scene.context.bank.script = ({ reference }) => (endsIn(reference, failed) ? rejection : 'execute')
  await workOff(scene.context)
  scene.context.bank.script = () => 'execute'
  return scene
}

interface Scene {
  context: TestContext
  organizationId: number
  bulk_id: string
}

/** What a retry is answered with, in one word. */
async function retry({ context, organizationId, bulk_id }: Scene, request_id: string = randomUUID()) {
  const submission = await retryFailed(context, organizationId, { bulk_id, request_id })
  if (submission === null) return 'no such bulk'
  return submission.outcome === 'refused' ? submission.problem.reason : submission.outcome
}

const childrenOf = (scene: Scene) =>
  stage.sql<{ request_id: string }>(
    `select c.request_id from bulk c join bulk p on (p.organization_id, p.bulk_no) = (c.organization_id, c.retry_of)
     where p.request_id = $1`,
    [scene.bulk_id]
  )

/** What its owner said of a transfer. */
const content = (transfer: Record<string, unknown>) =>
  Object.fromEntries(
    Object.keys(aTransfer())
      .concat(optional)
      .map((field) => [field, transfer[field]])
  )
const optional = ['client_transfer_id', 'end_to_end_id', 'metadata']

describe('a retry', () => {
  it('has exactly the failed transfers, in their order and with all that they had', async () => {
    const credit_transfers = Array.from({ length: 5 }, (_, nr) =>
      aTransfer({
        amount: `${nr + 1}.05`,
        counterparty_name: `Łukasz "${nr}" Ünal`,
        description: `Salary of employee ${nr}`,
        ...(nr % 2 === 0
          ? { client_transfer_id: `EMP-${nr}`, end_to_end_id: `E2E${nr}`, metadata: { nr: String(nr) } }
          : {})
      })
    )
    const scene = await partlyFailed([1, 2, 4], {
      credit_transfers,
      label: 'Payroll',
      metadata: { run: '7' }
    })
    const request_id = randomUUID()
    assert.equal(await retry(scene, request_id), 'accepted')
    const child = stage.look(scene.organizationId, request_id)
    const failed = (await scene.transfers()).filter(({ status }) => status === 'FAILED')
    assert.deepEqual((await child.transfers()).map(content), failed.map(content))
    const read = await readBulk(db, scene.organizationId, request_id)
    assert.deepEqual(
      [read?.label, read?.metadata, read?.on_failure, read?.total],
      ['Payroll', { run: '7' }, 'continue', { count: 3, amount: '10.15' }]
    )
    await workOff(scene.context)
    assert.deepEqual(await child.counts(), { status: 'COMPLETED', executed: 3 })
  })

  it('is linked both ways, and changes nothing of what it repeats', async () => {
    const scene = await partlyFailed([0, 3])
    const before = await scene.counts()
    const request_id = randomUUID()
    await retry(scene, request_id)
    const child = await stage.look(scene.organizationId, request_id).transfers()
    const parent = await scene.transfers()
    assert.deepEqual(
      parent.map(({ retried_as }) => retried_as),
      [child[0]?.transfer_id, null, null, child[1]?.transfer_id, null, null]
    )
    assert.deepEqual(
      child.map(({ retry_of }) => retry_of),
      [parent[0]?.transfer_id, parent[3]?.transfer_id]
    )
    assert.equal((await readBulk(db, scene.organizationId, request_id))?.retry_of, scene.bulk_id)
    assert.deepEqual(await scene.counts(), before)
    assert.deepEqual(await money(scene.organizationId), ['99600.00', '200.00'])
  })

  it('keeps on_failure stop, in windows of ten', async () => {
    const scene = await arrange({ transfers: 60 })
    scene.context.bank.script = () => rejection
    await workOff(scene.context)
    const stopping = await arrange({ transfers: 60, on_failure: 'stop' })
    stopping.context.bank.script = () => rejection
    await workOff(stopping.context)
    const request_id = randomUUID()
    await retry(stopping, request_id)
    await workOff(stopping.context)
    const child = stage.look(stopping.organizationId, request_id)
    assert.deepEqual(await child.counts(), { status: 'FAILED', failed: 10 })
    assert.equal((await readBulk(db, stopping.organizationId, request_id))?.on_failure, 'stop')
  })

  it('of a bulk that still runs has the FAILED ones only, and a second one has those that failed since', async () => {
    const scene = await arrange({ transfers: 3 })
    scene.context.bank.script = ({ reference }) =>
      [rejection, { outcome: 'unknown' as const, cause: 'timeout' }, { outcome: 'taken' as const }][
        Number(reference.at(-1))
      ]!
    await executeClaim(scene.context, await claim(scene.context))
    const [first, second] = [randomUUID(), randomUUID()]
    assert.equal(await retry(scene, first), 'accepted')
    assert.equal(await retry(scene, second), 'nothing-to-retry')
    scene.context.bank.script = () => rejection
    await stage.finish(scene.context)
    assert.equal(await retry(scene, second), 'accepted')
    const counts = [first, second].map((id) => stage.look(scene.organizationId, id).status())
    assert.deepEqual(
      (await Promise.all(counts)).map(({ total }) => total.count),
      [1, 2]
    )
  })

  it('can itself be retried, and a failed transfer is never in two', async () => {
    const scene = await partlyFailed([0, 1, 2])
    const [child_id, grandchild_id] = [randomUUID(), randomUUID()]
    await retry(scene, child_id)
    scene.context.bank.script = ({ reference }) => (endsIn(reference, [1]) ? rejection : 'execute')
    await workOff(scene.context)
    assert.equal(await retry(scene), 'nothing-to-retry')
    assert.equal(await retry({ ...scene, bulk_id: child_id }, grandchild_id), 'accepted')
    scene.context.bank.script = () => 'execute'
    await workOff(scene.context)
    const grandchild = stage.look(scene.organizationId, grandchild_id)
    assert.deepEqual(await grandchild.counts(), { status: 'COMPLETED', executed: 1 })
    assert.deepEqual(await money(scene.organizationId), ['99400.00', '0.00'])
  })
})

describe('a retry is refused', () => {
  it('when nothing failed, with a bad request_id, and for a bulk that does not exist or is of another', async () => {
    const scene = await partlyFailed([])
    assert.equal(await retry(scene), 'nothing-to-retry')
    const failed = await partlyFailed([1])
    assert.equal(await retry(failed, 'x'), 'invalid-request-id')
    assert.equal(await retry({ ...failed, bulk_id: randomUUID() }), 'no such bulk')
    assert.equal(await retry({ ...failed, organizationId: await anOrganization(db) }), 'no such bulk')
    assert.deepEqual(await childrenOf(failed), [])
  })

  it('when its request_id is that of another bulk, or of a retry of another', async () => {
    const [one, other] = [await partlyFailed([1]), await partlyFailed([1])]
    const scene = { ...one, organizationId: one.organizationId }
    const taken = await stage.submit(scene.context, scene.organizationId)
    assert.equal(await retry(scene, taken.bulk_id), 'already-processed')
    assert.equal(await retry(scene, scene.bulk_id), 'already-processed')
    const request_id = randomUUID()
    assert.equal(await retry(scene, request_id), 'accepted')
    assert.equal(await retry({ ...scene, bulk_id: taken.bulk_id }, request_id), 'already-processed')
    assert.equal(await retry(other, request_id), 'accepted', 'another organization has ids of its own')
  })

  it('when there is not enough money, and is accepted once there is', async () => {
    const scene = await partlyFailed([0, 1, 2])
    const hoard = aBulk({ amount: '99600.00' })
    assert.equal((await submitBulk(scene.context, scene.organizationId, hoard)).outcome, 'accepted')
    const request_id = randomUUID()
    assert.equal(await retry(scene, request_id), 'insufficient-account-balance')
    assert.deepEqual(await childrenOf(scene), [])
    scene.context.bank.script = () => rejection
    await workOff(scene.context)
    scene.context.bank.script = () => 'execute'
    assert.equal(await retry(scene, request_id), 'accepted')
    await workOff(scene.context)
    assert.deepEqual(await money(scene.organizationId), ['99400.00', '0.00'])
  })
})

describe('retries at once', () => {
  it('of one request_id are one bulk, and all others are its replays', async () => {
    const scene = await partlyFailed([0, 1, 2])
    const request_id = randomUUID()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, nr) => retry(scene, nr % 2 ? request_id : request_id.toUpperCase()))
    )
    assert.deepEqual(answers.toSorted(), ['accepted', ...Array<string>(19).fill('replayed')])
    assert.deepEqual(await childrenOf(scene), [{ request_id }])
    assert.equal(await retry(scene, request_id), 'replayed')
  })

  it('of different request_ids are one bulk, and the others have nothing to retry, even if money lacks', async () => {
    for (const hoarded of ['1.00', '99399.00']) {
      const scene = await partlyFailed([0, 1, 2])
      await stage.submit(scene.context, scene.organizationId, { amount: hoarded })
      const answers = await Promise.all(Array.from({ length: 10 }, () => retry(scene)))
      assert.deepEqual(answers.toSorted(), ['accepted', ...Array<string>(9).fill('nothing-to-retry')])
      assert.equal((await childrenOf(scene)).length, 1)
    }
  })
})

it('none of this breaks an invariant', prove)
