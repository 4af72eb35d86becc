import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readAccount } from '../../src/accounts/read-accounts.ts'
import { acceptOrExplain, previewBulk, submitBulk } from '../../src/transfers/submit-bulk.ts'
import { validateBulk } from '../../src/transfers/validate-bulk.ts'
import { aBulk, anOrganization, aTransfer, payer } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const context = createTestContext(database)
const { db, sql } = database

async function reasonFor(organizationId: number, body: unknown): Promise<string> {
  const submission = await submitBulk(context, organizationId, body)
  return submission.outcome === 'refused' ? submission.problem.reason : submission.outcome
}

async function moneyOf(organizationId: number): Promise<string[]> {
  const account = await readAccount(db, organizationId, payer.organization_iban)
  return [account?.balance ?? '', account?.reserved ?? '', account?.available ?? '']
}

async function countsOf(organizationId: number): Promise<Record<string, unknown> | undefined> {
  const [counts] = await sql(
    `select (select count(*)::int from bulk where organization_id = $1) as bulks,
            (select count(*)::int from transfer where organization_id = $1) as transfers,
            (select count(*)::int from chunk where organization_id = $1) as chunks`,
    [organizationId]
  )
  return counts
}

describe('submitBulk', () => {
  it('stores every value as it was sent, whichever of them are given and whatever letters they have', async () => {
    const organizationId = await anOrganization(db)
    const given = [
      { client_transfer_id: 'null', end_to_end_id: 'NULL', metadata: { b: '\u{1F3E6}', a: '' } },
      { client_transfer_id: '{"a",}\\' },
      { end_to_end_id: "'); --", metadata: {} },
      { counterparty_name: 'Zoë "O\'Hara", \\N' }
    ]
    const bulk = aBulk({ credit_transfers: given.map((change) => aTransfer(change)) })
    assert.equal(await reasonFor(organizationId, bulk), 'accepted')
    const rows = await sql(
      `select counterparty_name, client_transfer_id, end_to_end_id, metadata
       from transfer where organization_id = $1 order by seq`,
      [organizationId]
    )
    const nothing = { client_transfer_id: null, end_to_end_id: null, metadata: null }
    const { counterparty_name } = aTransfer()
    assert.deepEqual(
      rows,
      given.map((change) => ({ counterparty_name, ...nothing, ...change }))
    )
  })

  it('stores nothing if a value had what stands between the values on their way to the database', async () => {
    const noAmount = { code: '23502' }
    const refusals = { counterparty_name: noAmount, end_to_end_id: noAmount, amount_minor: SyntaxError }
    for (const [field, refusal] of Object.entries(refusals)) {
      const organizationId = await anOrganization(db)
      const checked = validateBulk(aBulk({ transfers: 2 }), 2, { today: '2026-01-01' })
      assert.equal(checked.outcome, 'valid')
      const [first, second] = checked.bulk.transfers
      assert.ok(first && second)
      const transfers = [{ ...first, [field]: '1\u001f2' }, second]
      const bulk = { ...checked.bulk, transfers, payees: null, retry_of: null, retried_seqs: null }
      await assert.rejects(acceptOrExplain(context, organizationId, bulk), refusal)
      assert.deepEqual(await countsOf(organizationId), { bulks: 0, transfers: 0, chunks: 0 })
      assert.deepEqual(await moneyOf(organizationId), ['100000.00', '0.00', '100000.00'])
    }
  })

  it('is no acceptance when the statement that accepts fails', async () => {
    const organizationId = await anOrganization(db)
    const query: typeof db.query = (statement) =>
      statement.name === 'accept-bulk' ? Promise.reject(new Error('connection lost')) : db.query(statement)
    const failing = { ...context, db: { ...db, query } }
    await assert.rejects(submitBulk(failing, organizationId, aBulk()), /connection lost/)
    assert.deepEqual(await countsOf(organizationId), { bulks: 0, transfers: 0, chunks: 0 })
  })

  it('reserves the total and stores every transfer in chunks', async () => {
    const organizationId = await anOrganization(db)
    const bulk = aBulk({ transfers: 250, amount: '1.01', duplicate_check: 'off' })
    const submission = await submitBulk(context, organizationId, bulk)
    assert.equal(submission.outcome, 'accepted')
    const { accepted_at, ...acceptance } = submission.acceptance
    assert.match(accepted_at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    assert.deepEqual(acceptance, {
      bulk_id: bulk.request_id,
      message: 'Bulk transfer accepted',
      status: 'PENDING',
      status_url: `/transfers/bulk/${bulk.request_id}/status`,
      held: false,
      transfer_count: 250,
      total_amount: '252.50',
      currency: 'EUR',
      warnings: [],
      warnings_total: 0
    })
    assert.deepEqual(await moneyOf(organizationId), ['100000.00', '252.50', '99747.50'])
    assert.deepEqual(await countsOf(organizationId), { bulks: 1, transfers: 250, chunks: 3 })
  })

  it('answers the same content again with the first answer, also when it is written differently', async () => {
    const organizationId = await anOrganization(db)
    const bulk = aBulk({ amount: '10' })
    const first = await submitBulk(context, organizationId, bulk)
    const again = await submitBulk(context, organizationId, {
      ...bulk,
      request_id: bulk.request_id.toUpperCase(),
      credit_transfers: [aTransfer({ amount: '10.00', counterparty_iban: 'DE89 3704 0044 0532 0130 00' })]
    })
    assert.deepEqual(again, { ...first, outcome: 'replayed' })
    assert.deepEqual(await moneyOf(organizationId), ['100000.00', '10.00', '99990.00'])
  })

  it('refuses other content under a taken request_id, and that wins over all errors behind it', async () => {
    const organizationId = await anOrganization(db)
    const { request_id } = aBulk()
    assert.equal(await reasonFor(organizationId, aBulk({ request_id })), 'accepted')
    for (const other of [
      aBulk({ request_id, amount: '99' }),
      aBulk({ request_id, credit_transfers: [aTransfer({ currency: 'USD' })] }),
      aBulk({ request_id, amount: 'x' }),
      aBulk({ request_id, transfers: 1001 }),
      aBulk({ request_id, transfers: 0 }),
      aBulk({ request_id, amount: '999999' }),
      aBulk({ request_id, organization_iban: 'unknown' })
    ])
      assert.equal(await reasonFor(organizationId, other), 'already-processed')
    assert.deepEqual(await countsOf(organizationId), { bulks: 1, transfers: 1, chunks: 1 })
  })

  it('refuses in the documented order, leaves nothing behind and leaves the request_id free', async () => {
    const organizationId = await anOrganization(db)
    const { request_id } = aBulk()
    const unknown = { organization_iban: 'FR00' }
    const steps: [object, string][] = [
      [{ ...aBulk({ request_id: 'x', transfers: 1001 }), y: 1 }, 'invalid-request'],
      [aBulk({ request_id: 'x', transfers: 1001 }), 'invalid-request-id'],
      [aBulk({ request_id, transfers: 1001, amount: 'x' }), 'too-many-transfers'],
      [aBulk({ request_id, amount: 'x', ...unknown }), 'invalid-amount'],
      [aBulk({ request_id, amount: '-1', ...unknown }), 'negative-or-null-amounts'],
      [aBulk({ request_id, amount: '200000', ...unknown }), 'unknown-account'],
      [aBulk({ request_id, amount: '200000' }), 'insufficient-account-balance'],
      [aBulk({ request_id, organization_bic: 'DEUTDEFF' }), 'unknown-account']
    ]
    for (const [body, reason] of steps) assert.equal(await reasonFor(organizationId, body), reason)
    assert.deepEqual(await countsOf(organizationId), { bulks: 0, transfers: 0, chunks: 0 })
    assert.deepEqual(await moneyOf(organizationId), ['100000.00', '0.00', '100000.00'])
    assert.equal(await reasonFor(organizationId, aBulk({ request_id })), 'accepted')
  })

  for (const id of [
    '123e4567-e89b-12d3-a456-42661417400',
    '{123e4567-e89b-12d3-a456-426614174000}',
    '123e4567e89b12d3a456426614174000',
    'urn:uuid:123e4567-e89b-12d3-a456-426614174000',
    '',
    '123e4567-e89b-12d3-a456-42661417400０'
  ])
    it(`does not take "${id}" for a request_id`, async () => {
      assert.equal(await reasonFor(await anOrganization(db), aBulk({ request_id: id })), 'invalid-request-id')
    })

  it('accepts a total that is exactly what is available, and not one cent more', async () => {
    const organizationId = await anOrganization(db, { funds_minor: 10_000n })
    assert.equal(await reasonFor(organizationId, aBulk({ amount: '40.00' })), 'accepted')
    assert.equal(await reasonFor(organizationId, aBulk({ amount: '60.01' })), 'insufficient-account-balance')
    assert.equal(await reasonFor(organizationId, aBulk({ amount: '60.00' })), 'accepted')
    assert.deepEqual(await moneyOf(organizationId), ['100.00', '100.00', '0.00'])
  })

  it('keeps organizations apart: the same request_id is another bulk in each', async () => {
    const [one, other] = [await anOrganization(db), await anOrganization(db)]
    const { request_id } = aBulk()
    assert.equal(await reasonFor(one, aBulk({ request_id })), 'accepted')
    assert.equal(await reasonFor(other, aBulk({ request_id, amount: '7' })), 'accepted')
    assert.deepEqual(await moneyOf(other), ['100000.00', '7.00', '99993.00'])
  })

  it('makes one bulk of 50 identical posts at once', async () => {
    const organizationId = await anOrganization(db, { funds_minor: 10_000n })
    const bulk = aBulk({ amount: '90.00' })
    const all = await Promise.all(Array.from({ length: 50 }, () => submitBulk(context, organizationId, bulk)))
    assert.equal(all.filter(({ outcome }) => outcome === 'accepted').length, 1)
    assert.equal(all.filter(({ outcome }) => outcome === 'replayed').length, 49)
    assert.deepEqual(await countsOf(organizationId), { bulks: 1, transfers: 1, chunks: 1 })
    assert.deepEqual(await moneyOf(organizationId), ['100.00', '90.00', '10.00'])
  })

  it('lets one of two different contents under one request_id win when they come at once', async () => {
    const organizationId = await anOrganization(db)
    for (let round = 0; round < 10; round++) {
      const { request_id } = aBulk()
      const reasons = await Promise.all(
        ['1.00', '2.00'].map((amount) => reasonFor(organizationId, aBulk({ request_id, amount })))
      )
      assert.deepEqual(reasons.toSorted(), ['accepted', 'already-processed'])
    }
  })

  it('lets one of two accounts win when the same request_id comes for both at once', async () => {
    const organizationId = await anOrganization(db)
    await sql(
      `insert into account (organization_id, kind, iban, bic, currency, balance_minor)
       values ($1, 'CUSTOMER', 'OTHER', 'OIVUSCLQXXX', 'EUR', 100000)`,
      [organizationId]
    )
    for (let round = 0; round < 10; round++) {
      const { request_id } = aBulk()
      const reasons = await Promise.all(
        [payer.organization_iban, 'OTHER'].map((iban) =>
          reasonFor(
            organizationId,
            aBulk({ request_id, organization_iban: iban, transfers: 100, amount: '0.01' })
          )
        )
      )
      assert.deepEqual(reasons.toSorted(), ['accepted', 'already-processed'])
    }
    const [reserved] = await sql(
      'select sum(reserved_minor)::int as total from account where organization_id = $1',
      [organizationId]
    )
    assert.deepEqual(reserved, { total: 1000 })
  })

  it('accepts one of 20 bulks at once that each need 60 % of the funds', async () => {
    const organizationId = await anOrganization(db)
    const reasons = await Promise.all(
      Array.from({ length: 20 }, () => reasonFor(organizationId, aBulk({ amount: '60000' })))
    )
    assert.equal(reasons.filter((reason) => reason === 'accepted').length, 1)
    assert.equal(reasons.filter((reason) => reason === 'insufficient-account-balance').length, 19)
    assert.deepEqual(await moneyOf(organizationId), ['100000.00', '60000.00', '40000.00'])
  })

  it('keeps cents exact where numbers of JavaScript would not', async () => {
    const organizationId = await anOrganization(db, { funds_minor: 1_000_000_000_000_000_000n })
    const bulk = aBulk({ transfers: 1000, amount: '999999999.99' })
    const submission = await submitBulk(context, organizationId, bulk)
    assert.equal(submission.outcome, 'accepted')
    assert.equal(submission.acceptance.total_amount, '999999999990.00')
    assert.deepEqual(await moneyOf(organizationId), [
      '10000000000000000.00',
      '999999999990.00',
      '9999000000000010.00'
    ])
  })
})

describe('previewBulk', () => {
  it('reports what submitting would, and stores nothing', async () => {
    const organizationId = await anOrganization(db)
    const bulk = aBulk()
    const preview = await previewBulk(context, organizationId, bulk)
    assert.equal(preview.outcome, 'accepted')
    assert.equal(preview.acceptance.total_amount, '100.00')
    assert.deepEqual(await countsOf(organizationId), { bulks: 0, transfers: 0, chunks: 0 })
    for (const [body, reason] of [
      [aBulk({ amount: 'x' }), 'invalid-amount'],
      [aBulk({ amount: '200000' }), 'insufficient-account-balance'],
      [aBulk({ organization_iban: 'FR00' }), 'unknown-account']
    ] as const) {
      const refused = await previewBulk(context, organizationId, body)
      assert.equal(refused.outcome === 'refused' && refused.problem.reason, reason)
    }
    assert.equal(await reasonFor(organizationId, bulk), 'accepted')
    assert.equal((await previewBulk(context, organizationId, bulk)).outcome, 'replayed')
  })
})

describe('a replay', () => {
  it('is answered for ever, also when the same bulk would be refused today', async () => {
    const organizationId = await anOrganization(db)
    const bulk = aBulk({ execution_date: new Date().toISOString().slice(0, 10) })
    const first = await submitBulk(context, organizationId, bulk)
    assert.equal(first.outcome, 'accepted')
    const tomorrow = { ...context, clock: { ...context.clock, nowMs: () => Date.now() + 86_400_000 } }
    assert.deepEqual(await submitBulk(tomorrow, organizationId, bulk), { ...first, outcome: 'replayed' })
    const fresh = await submitBulk(tomorrow, organizationId, { ...bulk, request_id: aBulk().request_id })
    assert.equal(fresh.outcome === 'refused' && fresh.problem.reason, 'execution-date-not-supported')
  })
})
