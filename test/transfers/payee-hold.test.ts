import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { cancelBulk } from '../../src/execution/cancel-bulk.ts'
import { placeHold, releaseHold } from '../../src/execution/hold.ts'
import { releaseBulk } from '../../src/execution/release-bulk.ts'
import { sweep } from '../../src/reconciliation/sweep.ts'
import { readBulk } from '../../src/transfers/read-bulk.ts'
import { submitBulk } from '../../src/transfers/submit-bulk.ts'
import { workOff } from '../execution/stage.ts'
import { anOrganization } from '../support/builders.ts'
import { accepted, aBulkTo, createPayeeStage, everyResult } from './payee-stage.ts'

const { db, sql, look, money, arrange, prove } = await createPayeeStage()

/** A bulk of an organization that has its bulks held, with a payee who does not match. */
async function arrangeHeld(names = ['match', 'no-match']) {
  const scene = await arrange('hold')
  const bulk = aBulkTo(names)
  const acceptance = accepted(await scene.submit(bulk))
  const context = { ...scene.context, origin: { actor: 'key:payroll', trace_id: null } }
  const { organizationId } = scene
  return {
    ...scene,
    context,
    acceptance,
    bulk,
    read: () => readBulk(db, organizationId, bulk.request_id),
    release: () => releaseBulk(context, organizationId, bulk.request_id),
    ...look(organizationId, bulk.request_id)
  }
}

describe('the check of payees under the policy hold', () => {
  it('lets a bulk go on of which every payee matches', async () => {
    const { acceptance, context, counts } = await arrangeHeld(['match', 'match'])
    assert.equal(acceptance.held, false)
    await workOff(context)
    assert.deepEqual(await counts(), { status: 'COMPLETED', executed: 2 })
  })

  for (const result of everyResult.slice(1))
    it(`accepts and reserves a bulk with a ${result}, and sends nothing of it`, async () => {
      const { acceptance, context, organizationId, status, counts, submit, bulk } = await arrangeHeld([
        'match',
        result
      ])
      assert.equal(acceptance.held, true)
      assert.equal(await claimWork(context, 'test'), null)
      // Claims need not even pass it over.
      const due = `select from chunk where organization_id = $1 and due_at < '9999-12-31'`
      assert.deepEqual(await sql(due, [organizationId]), [])
      assert.deepEqual(await counts(), { status: 'PENDING', pending: 2 })
      assert.deepEqual(await money(organizationId), ['100000.00', '2.00'])
      const { held, needs_attention } = await status()
      assert.deepEqual([held, needs_attention], [true, true])
      assert.equal(await sweep(context), '0 bulks overdue, 0 reserves orphaned')
      assert.deepEqual(accepted(await submit(bulk)), acceptance)
    })

  it('lets it go on when the payer confirms, and records who did', async () => {
    const { context, release, counts, read } = await arrangeHeld()
    const released = await release()
    assert.equal(released.outcome === 'released' && released.released_now, 2)
    assert.equal(released.outcome === 'released' && released.status.held, false)
    await workOff(context)
    assert.deepEqual(await counts(), { status: 'COMPLETED', executed: 2 })
    const again = await release()
    assert.equal(again.outcome === 'released' && again.released_now, 0)
    const { held, released_at, released_by } = (await read())?.payee_check ?? {}
    assert.deepEqual([held, typeof released_at, released_by], [true, 'string', 'key:payroll'])
  })

  it('ends with a cancellation, which frees the money, and then there is nothing to release', async () => {
    const { context, organizationId, bulk_id, release, counts, status } = await arrangeHeld()
    const cancelled = await cancelBulk(context, organizationId, bulk_id)
    assert.deepEqual(cancelled.outcome === 'stopped' && cancelled.cancelled_now, { count: 2, amount: '2.00' })
    assert.deepEqual(await counts(), { status: 'CANCELLED', cancelled: 2 })
    assert.deepEqual(await money(organizationId), ['100000.00', '0.00'])
    assert.equal((await status()).held, false)
    assert.deepEqual(
      await sql('select cause, released_by from hold where organization_id = $1', [organizationId]),
      [{ cause: 'payees', released_by: 'key:payroll' }]
    )
    assert.deepEqual(await release(), { outcome: 'not-held' })
  })

  it('of several releases and cancellations at once either pays all or cancels all', async () => {
    for (let round = 0; round < 5; round++) {
      const { context, organizationId, bulk_id, release, counts } = await arrangeHeld()
      const ask = [release, release, () => cancelBulk(context, organizationId, bulk_id), release]
      await Promise.all(ask.map((act) => act()))
      await workOff(context)
      const { status } = await counts()
      assert.equal(status, 'CANCELLED')
    }
  })

  it('does not lift what an operator holds, nor does the operator confirm payees', async () => {
    const { context, organizationId, release, read, counts } = await arrangeHeld()
    const [row] = await sql<{ bulk_no: string }>('select bulk_no from hold where organization_id = $1', [
      organizationId
    ])
    const held = { organization_id: organizationId, account_id: null, bulk_no: BigInt(row?.bulk_no ?? 0) }
    assert.ok(await placeHold(db, held, { actor: 'operator:ada', reason: 'fraud?' }))
    await release()
    assert.equal(await claimWork(context, 'test'), null)
    assert.equal((await read())?.held, true)
    assert.deepEqual(await releaseHold(db, held, { actor: 'operator:ada' }), { resumed: 2 })
    await workOff(context)
    assert.deepEqual(await counts(), { status: 'COMPLETED', executed: 2 })

    const other = await arrangeHeld()
    const organization = { organization_id: other.organizationId, account_id: null, bulk_no: null }
    await placeHold(db, organization, { actor: 'operator:ada', reason: 'fraud?' })
    assert.deepEqual(await releaseHold(db, organization, { actor: 'operator:ada' }), { resumed: 0 })
    assert.equal(await claimWork(other.context, 'test'), null)
  })

  it('is not stuck for the sweeper while it is held, however long', async () => {
    const { context, organizationId } = await arrangeHeld()
    await sql(
      `update chunk set due_at = now() - interval '1 day' where organization_id = $1 and due_at is not null`,
      [organizationId]
    )
    assert.equal(await sweep(context), '0 bulks overdue, 0 reserves orphaned')
  })

  it('tells other organizations nothing of it, and obeys none of them', async () => {
    const { context, bulk_id, status } = await arrangeHeld()
    const other = await anOrganization(db)
    const acting = { ...context, db: db.forOrganization(other) }
    assert.deepEqual(await releaseBulk(acting, other, bulk_id), { outcome: 'not-found' })
    assert.equal((await status()).held, true)
  })

  it('works as the organization itself, whom row-level security holds to its own rows', async () => {
    const { context, organizationId } = await arrange('hold')
    const acting = { ...context, db: db.forOrganization(organizationId) }
    const bulk = aBulkTo(['no-match', 'match'])
    assert.equal(accepted(await submitBulk(acting, organizationId, bulk)).held, true)
    assert.equal((await releaseBulk(acting, organizationId, bulk.request_id)).outcome, 'released')
    assert.equal((await readBulk(acting.db, organizationId, bulk.request_id))?.payee_check?.no_match, 1)
    await workOff(context)
    assert.equal((await readBulk(db, organizationId, bulk.request_id))?.status, 'COMPLETED')
  })

  it('and confirmed while everything at the bank is held, which its organization cannot see, is not sent', async () => {
    const { context, organizationId } = await arrange('hold')
    const acting = { ...context, db: db.forOrganization(organizationId) }
    const bulk = aBulkTo(['no-match'])
    accepted(await submitBulk(acting, organizationId, bulk))
    const bank = { organization_id: null, account_id: null, bulk_no: null }
    await placeHold(db, bank, { actor: 'operator:ada', reason: 'the bank has trouble' })
    assert.equal((await releaseBulk(acting, organizationId, bulk.request_id)).outcome, 'released')
    assert.equal(await claimWork(context, 'test'), null)
    await releaseHold(db, bank, { actor: 'operator:ada' })
    await workOff(context)
    assert.equal((await readBulk(db, organizationId, bulk.request_id))?.status, 'COMPLETED')
  })

  it('of a bulk that was never held, or that does not exist, refuses a release', async () => {
    const { context, organizationId, submit } = await arrange()
    const bulk = aBulkTo(['no-match'])
    await submit(bulk)
    assert.deepEqual(await releaseBulk(context, organizationId, bulk.request_id), { outcome: 'not-held' })
    assert.deepEqual(await releaseBulk(context, organizationId, randomUUID()), { outcome: 'not-found' })
  })

  it('breaks no invariant', prove)
})
