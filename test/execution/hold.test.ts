import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { limitAccount, closeAccount } from '../../src/accounts/manage-account.ts'
import { ownOrigin } from '../../src/context.ts'
import type { Database } from '../../src/database/database.ts'
import { cancelBulk } from '../../src/execution/cancel-bulk.ts'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { findBulkNo, placeHold, releaseHold, type Held } from '../../src/execution/hold.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { submitBulk } from '../../src/transfers/submit-bulk.ts'
import { aBulk, anOrganization, payer } from '../support/builders.ts'
import { claim, createStage, workOff } from './stage.ts'

const stage = await createStage()
const { db, arrange, open, submit, money, prove, letTimePass, sql } = stage
const by = { actor: 'operator:test', reason: 'a test' }
const everything: Held = { organization_id: null, account_id: null, bulk_no: null }

async function accountOf(organization_id: number): Promise<number> {
  const [row] = await sql<{ account_id: number }>(
    `select account_id from account where organization_id = $1 and kind = 'CUSTOMER'`,
    [organization_id]
  )
  return row?.account_id ?? 0
}

/** The database, on which something else happens before a transaction commits. */
function whileUncommitted(happen: () => Promise<void>): Database {
  return {
    ...db,
    transaction: (work, mode) =>
      db.transaction(async (tx) => {
        const result = await work(tx)
        await happen()
        return result
      }, mode)
  }
}

async function untilSomebodyWaits(): Promise<void> {
  const waiting = `select from pg_locks where not granted`
  while ((await sql(waiting)).length === 0) await setImmediate()
}

describe('what is held', () => {
  it('is not sent, be it a bulk, an account, an organization or the bank, and goes on when it is released', async () => {
    const kinds: ((organization_id: number, bulk_id: string) => Promise<Held>)[] = [
      async (organization_id, bulk_id) => ({
        ...everything,
        organization_id,
        bulk_no: await findBulkNo(db, organization_id, bulk_id)
      }),
      async (organization_id) => ({
        ...everything,
        organization_id,
        account_id: await accountOf(organization_id)
      }),
      (organization_id) => Promise.resolve({ ...everything, organization_id }),
      () => Promise.resolve(everything)
    ]
    for (const kind of kinds) {
      const { context, organizationId, bulk_id, counts } = await arrange({ transfers: 150 })
      const held = await kind(organizationId, bulk_id)
      assert.deepEqual(await placeHold(db, held, by), { waiting: 150 })
      assert.equal(await placeHold(db, held, by), null)
      assert.equal(await claimWork(context, 'test'), null)
      assert.deepEqual(await releaseHold(db, held, by), { resumed: 150 })
      assert.equal(await releaseHold(db, held, by), null)
      await workOff(context)
      assert.deepEqual(await counts(), { status: 'COMPLETED', executed: 150 })
    }
  })

  it('leaves others alone: another bulk, account and organization', async () => {
    const { context, organizationId, bulk_id, counts } = await arrange()
    const other = await submit(context, organizationId)
    const stranger = await submit(context, await anOrganization(db))
    const bulk_no = await findBulkNo(db, organizationId, bulk_id)
    await placeHold(db, { ...everything, organization_id: organizationId, bulk_no }, by)
    await workOff(context)
    assert.deepEqual(await counts(), { status: 'PENDING', pending: 1 })
    for (const { counts: done } of [other, stranger])
      assert.deepEqual(await done(), { status: 'COMPLETED', executed: 1 })
  })

  it('and was put back by its holder is not sent either', async () => {
    const { context, organizationId, counts } = await arrange()
    const claimed = await claim(context)
    const held = { ...everything, organization_id: organizationId }
    assert.deepEqual(await placeHold(db, held, by), { waiting: 0 })
    context.bank.script = () => ({ outcome: 'not-accepted', cause: 'bank-error', retry_after_ms: 0 })
    await executeClaim(context, claimed)
    await letTimePass()
    context.bank.script = () => 'execute'
    assert.equal(await claimWork(context, 'test'), null)
    assert.deepEqual(await counts(), { status: 'PROCESSING', pending: 1 })
    await releaseHold(db, held, by)
    await letTimePass()
    await workOff(context)
    assert.deepEqual(await counts(), { status: 'COMPLETED', executed: 1 })
  })

  it('and may have been sent is asked about, and not sent again', async () => {
    const { context, organizationId, counts } = await arrange()
    await claim(context)
    await letTimePass()
    await placeHold(db, { ...everything, organization_id: organizationId }, by)
    await workOff(context)
    assert.deepEqual(
      context.bank.calls.map(({ kind }) => kind),
      ['inquire']
    )
    assert.deepEqual(await counts(), { status: 'PROCESSING', unknown: 1 })
    await releaseHold(db, { ...everything, organization_id: organizationId }, by)
    await letTimePass()
    await workOff(context)
    assert.deepEqual(await counts(), { status: 'COMPLETED', executed: 1 })
  })

  it('can be cancelled, and its money is free at once', async () => {
    const { context, organizationId, bulk_id, counts } = await arrange({ transfers: 3 })
    await placeHold(db, { ...everything, organization_id: organizationId }, by)
    assert.equal((await cancelBulk(context, organizationId, bulk_id)).outcome, 'stopped')
    assert.deepEqual(await counts(), { status: 'CANCELLED', cancelled: 3 })
    assert.deepEqual(await money(organizationId), ['100000.00', '0.00'])
  })

  it('stays held by the account when the organization is released', async () => {
    const { organizationId } = await arrange()
    const account = {
      ...everything,
      organization_id: organizationId,
      account_id: await accountOf(organizationId)
    }
    const organization = { ...everything, organization_id: organizationId }
    await placeHold(db, organization, by)
    await placeHold(db, account, by)
    assert.deepEqual(await releaseHold(db, organization, by), { resumed: 0 })
    assert.deepEqual(await releaseHold(db, account, by), { resumed: 1 })
  })

  it('goes on when two holds of it are released at once', async () => {
    const { context, organizationId, bulk_id, counts } = await arrange()
    const bulk_no = await findBulkNo(db, organizationId, bulk_id)
    const bulk = { ...everything, organization_id: organizationId, bulk_no }
    const organization = { ...everything, organization_id: organizationId }
    await placeHold(db, bulk, by)
    await placeHold(db, organization, by)
    // The first has ended its hold, and does not commit before the second has had its chance to.
    let second: Promise<unknown> = Promise.resolve()
    const released = await releaseHold(
      whileUncommitted(async () => {
        second = releaseHold(db, organization, by)
        await Promise.race([second, untilSomebodyWaits()])
      }),
      bulk,
      by
    )
    assert.deepEqual([released, await second], [{ resumed: 0 }, { resumed: 1 }])
    await workOff(context)
    assert.deepEqual(await counts(), { status: 'COMPLETED', executed: 1 })
  })

  it('accepts nothing more, if it is an account or an organization; the bank takes it later', async () => {
    const context = await open()
    const organization_id = await anOrganization(db)
    const reason = async () => {
      const submission = await submitBulk(context, organization_id, aBulk())
      return submission.outcome === 'refused' ? submission.problem.reason : submission.outcome
    }
    const held = { ...everything, organization_id }
    await placeHold(db, held, by)
    assert.equal(await reason(), 'account-not-active')
    await releaseHold(db, held, by)
    await placeHold(db, everything, by)
    assert.equal(await reason(), 'accepted')
    assert.equal(await claimWork(context, 'test'), null)
    await releaseHold(db, everything, by)
    await workOff(context)
  })

  it('breaks no invariant', prove)
})

describe('an account with limits', () => {
  const limits = { max_transfer_minor: null, max_bulk_minor: null, max_day_minor: null }
  const iban = payer.organization_iban

  async function refusal(organizationId: number, change: Parameters<typeof aBulk>[0]) {
    const context = await open()
    const submission = await submitBulk(context, organizationId, aBulk(change))
    if (submission.outcome !== 'refused') return submission.outcome
    const { reason, errors = [] } = submission.problem
    return [reason, ...errors.map(({ pointer, detail }) => `${pointer} ${detail}`)]
  }

  it('pays up to each of them, and tells every one that is exceeded with its figure', async () => {
    const organization_id = await anOrganization(db)
    await limitAccount(
      db,
      { organization_id, iban },
      { max_transfer_minor: 100_00n, max_bulk_minor: 200_00n, max_day_minor: 300_00n },
      ownOrigin
    )
    assert.deepEqual(await refusal(organization_id, { transfers: 3, amount: '100.01' }), [
      'limit-exceeded',
      ...[0, 1, 2].map(
        (index) =>
          `/credit_transfers/${index}/amount This is 100.01 EUR; this account pays at most 100.00 EUR in one transfer.`
      ),
      '/credit_transfers The bulk is 300.03 EUR; this account pays at most 200.00 EUR in one bulk.',
      '/credit_transfers The bulk is 300.03 EUR, 0.00 EUR was submitted today (UTC), and this account pays at most 300.00 EUR a day.'
    ])
    assert.equal(await refusal(organization_id, { transfers: 2 }), 'accepted')
    assert.deepEqual(await refusal(organization_id, { transfers: 2 }), [
      'limit-exceeded',
      '/credit_transfers The bulk is 200.00 EUR, 200.00 EUR was submitted today (UTC), and this account pays at most 300.00 EUR a day.'
    ])
    assert.equal(await refusal(organization_id, {}), 'accepted')
    // The next day begins at nothing.
    await sql(`update account set spent_on = spent_on - 1 where organization_id = ${organization_id}`)
    assert.equal(await refusal(organization_id, { transfers: 2 }), 'accepted')
  })

  it('does not forget what was submitted on a new day for a bulk that began on the old one', async () => {
    const organization_id = await anOrganization(db)
    await limitAccount(db, { organization_id, iban }, { ...limits, max_day_minor: 300_00n }, ownOrigin)
    assert.equal(await refusal(organization_id, { transfers: 2 }), 'accepted')
    // As another found it that waited for the account's lock over midnight.
    await sql(`update account set spent_on = spent_on + 1 where organization_id = ${organization_id}`)
    assert.deepEqual(await refusal(organization_id, { transfers: 2 }), [
      'limit-exceeded',
      '/credit_transfers The bulk is 200.00 EUR, 200.00 EUR was submitted today (UTC), and this account pays at most 300.00 EUR a day.'
    ])
    assert.equal(await refusal(organization_id, {}), 'accepted')
    const [account] = await sql(
      `select spent_minor, spent_on > (now() at time zone 'utc')::date as ahead from account
       where organization_id = ${organization_id} and kind = 'CUSTOMER'`
    )
    assert.deepEqual(account, { spent_minor: '30000', ahead: true })
  })

  it('is held to its day by however many submit at once', async () => {
    const context = await open()
    const organization_id = await anOrganization(db)
    await limitAccount(db, { organization_id, iban }, { ...limits, max_day_minor: 500_00n }, ownOrigin)
    const submissions = await Promise.all(
      Array.from({ length: 20 }, () => submitBulk(context, organization_id, aBulk()))
    )
    assert.equal(submissions.filter(({ outcome }) => outcome === 'accepted').length, 5)
    assert.deepEqual(await money(organization_id), ['100000.00', '500.00'])
  })

  it('is closed only when it is empty, and then pays nothing', async () => {
    const [rich, empty] = [await anOrganization(db), await anOrganization(db, { funds_minor: 0n })]
    assert.equal(await closeAccount(db, { organization_id: rich, iban }, ownOrigin), false)
    assert.equal(await closeAccount(db, { organization_id: empty, iban }, ownOrigin), true)
    assert.deepEqual(await refusal(empty, {}), [
      'account-not-active',
      '/organization_iban The account is closed; pay from another.'
    ])
  })
})
