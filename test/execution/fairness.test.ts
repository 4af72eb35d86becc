import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { anOrganization } from '../support/builders.ts'
import type { TestContext } from '../support/context.ts'
import { createStage } from './stage.ts'

const stage = await createStage()
const { db, sql, prove } = stage

/** Organizations, one after the other, each with so many bulks of 100. */
async function organizations(context: TestContext, bulks: number[]): Promise<number[]> {
  const all: number[] = []
  for (const count of bulks) {
    const organizationId = await anOrganization(db, { funds_minor: 1_000_000_00n })
    for (let nr = 0; nr < count; nr++)
      await stage.submit(context, organizationId, { transfers: 100, amount: '1' })
    all.push(organizationId)
  }
  return all
}

/** Whose work is claimed, one claim after the other, as a worker's lanes do it. */
async function serve(context: TestContext, claims: number, after = 0): Promise<number[]> {
  const served: number[] = []
  for (let nr = 0; nr < claims; nr++) {
    const claim = await claimWork(context, 'test', { after: served.at(-1) ?? after, chunk_limit: 1 })
    if (claim === null) break
    served.push(claim.organization_id)
    await executeClaim(context, claim)
  }
  return served
}

describe('organizations take turns', () => {
  it('so that one transfer of one is served beside twenty bulks of another that came first', async () => {
    const context = await stage.open()
    const [large, small] = await organizations(context, [20, 1])
    assert.deepEqual(await serve(context, 4), [large, small, large, large])
    const [first, second] = await organizations(context, [1, 20])
    const served = await serve(context, 3, large)
    assert.deepEqual(served, [first, second, large])
  })

  it('round and round, wherever it begins', async () => {
    for (const start of [0, 1, 2, 3]) {
      const context = await stage.open()
      const all = await organizations(context, [3, 3, 3])
      const after = start === 3 ? 2 ** 31 - 1 : start === 0 ? 0 : all[start - 1]!
      const [one, two, three] = all as [number, number, number]
      const circle = [one, two, three, one, two, three, one, two, three]
      const turned = start === 1 || start === 2 ? [...circle.slice(start), ...circle.slice(0, start)] : circle
      assert.deepEqual(await serve(context, 10, after), turned)
    }
  })

  it('and whoever is alone is served all the time', async () => {
    const context = await stage.open()
    const [only] = await organizations(context, [3])
    assert.deepEqual(await serve(context, 4, only), [only, only, only])
  })

  it('past one whose work is not due yet, or has ended', async () => {
    const context = await stage.open()
    const [ended, waiting, due] = await organizations(context, [1, 1, 2])
    assert.deepEqual(await serve(context, 1), [ended])
    await sql(`update chunk set due_at = now() + interval '1 hour' where organization_id = $1`, [waiting])
    assert.deepEqual(await serve(context, 3, ended), [due, due])
  })

  it('past one whose chunks all are locked by others', async () => {
    const context = await stage.open()
    const [locked, free] = await organizations(context, [2, 2])
    await db.transaction(async (tx) => {
      const text = 'select from chunk where organization_id = $1 for update'
      await tx.query({ name: 'lock-all', text, values: [locked] })
      assert.deepEqual(await serve(context, 3), [free, free])
    })
    assert.deepEqual(await serve(context, 3), [locked, locked])
  })

  it('past one of whose bulk the one chunk that may be out is out, which has other bulks of its own', async () => {
    const context = await stage.open()
    const organizationId = await anOrganization(db)
    const stopping = await stage.submit(context, organizationId, { transfers: 100, on_failure: 'stop' })
    const held = await claimWork(context, 'other')
    const [other] = await organizations(context, [2])
    assert.deepEqual(await serve(context, 3), [other, other])
    const beside = await stage.submit(context, organizationId, { transfers: 5, on_failure: 'stop' })
    assert.deepEqual(await serve(context, 3), [organizationId])
    assert.deepEqual(await beside.counts(), { status: 'COMPLETED', executed: 5 })
    assert.deepEqual(await stopping.counts(), { status: 'PROCESSING', processing: 10, pending: 90 })
    await executeClaim(context, held!)
    assert.equal((await serve(context, 20)).length, 9)
  })

  it('also when many claim at once', async () => {
    const context = await stage.open()
    const all = await organizations(context, [8, 1, 1, 1])
    const claims = await Promise.all(
      all.map((_, nr) => claimWork(context, 'test', { after: all[nr - 1] ?? 0, chunk_limit: 1 }))
    )
    assert.deepEqual(new Set(claims.map((claim) => claim?.organization_id)), new Set(all))
    for (const claim of claims) if (claim) await executeClaim(context, claim)
  })
})

it('none of this breaks an invariant', prove)
