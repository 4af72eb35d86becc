import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import type { BulkRequest } from '../../src/transfers/bulk-request.ts'
import { previewBulk, submitBulk } from '../../src/transfers/submit-bulk.ts'
import { aBulk, anOrganization, aTransfer } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const context = createTestContext(database)
const { db, sql } = database

async function accept(organizationId: number, body: BulkRequest) {
  const submission = await submitBulk(context, organizationId, body)
  assert.notEqual(submission.outcome, 'refused', JSON.stringify(submission))
  return submission.outcome === 'refused' ? assert.fail() : submission.acceptance
}

/** The pointers and codes of the warnings of a bulk that is accepted. */
async function warningsOf(organizationId: number, body: BulkRequest): Promise<string[]> {
  const { warnings } = await accept(organizationId, body)
  return warnings.map(({ pointer, code }) => `${pointer} ${code}`)
}

const repeated = ['/credit_transfers/0 duplicate-recent']

/** Ends the only transfer of a bulk without a bank, or lets it be older. */
const ended = (status: string) =>
  `insert into outcome (organization_id, bulk_no, seq, amount_minor, status, reason_code)
   select organization_id, bulk_no, 0, total_minor, '${status}', ${status === 'FAILED' ? `'AC04'` : 'null'}
   from bulk where request_id = $1`

describe('a transfer like one of the last 30 days', () => {
  it('is accepted with a warning that names the earlier one', async () => {
    const organizationId = await anOrganization(db)
    const first = aBulk()
    assert.deepEqual(await warningsOf(organizationId, first), [])
    const transfers = [
      aTransfer({ amount: '7' }),
      aTransfer({ counterparty_name: 'J. Doe', client_transfer_id: 'again' })
    ]
    const { warnings, warnings_total } = await accept(organizationId, aBulk({ credit_transfers: transfers }))
    const [told] = warnings
    assert.deepEqual(
      [told?.pointer, told?.index, told?.client_transfer_id, told?.code, warnings_total],
      ['/credit_transfers/1', 1, 'again', 'duplicate-recent', 1]
    )
    assert.match(
      told?.detail ?? '',
      new RegExp(`^Transfer \\w{26}-0 of bulk ${first.request_id}, accepted on \\d{4}-`)
    )
  })

  it('refuses the bulk on demand, but not a replay, and leaves the request_id free', async () => {
    const organizationId = await anOrganization(db)
    const bulk = aBulk({ duplicate_check: 'reject' })
    const first = await accept(organizationId, bulk)
    assert.deepEqual(await accept(organizationId, bulk), first)
    const again = { ...bulk, request_id: randomUUID() }
    const refused = await submitBulk(context, organizationId, again)
    assert.equal(refused.outcome === 'refused' && refused.problem.reason, 'duplicate-transfer')
    assert.deepEqual(await warningsOf(organizationId, { ...again, duplicate_check: 'off' }), [])
    assert.deepEqual(
      await accept(organizationId, again),
      await accept(organizationId, { ...again, duplicate_check: 'warn' })
    )
  })

  it('is not one that failed, was cancelled or came back, nor one of another organization', async () => {
    const gone = [
      ended('FAILED'),
      ended('CANCELLED'),
      `insert into transfer_return (organization_id, bulk_no, seq, amount_minor)
       select organization_id, bulk_no, 0, total_minor from bulk where request_id = $1`
    ]
    for (const change of gone) {
      const organizationId = await anOrganization(db)
      const first = aBulk()
      await accept(organizationId, first)
      assert.deepEqual(await warningsOf(organizationId, aBulk({ duplicate_check: 'warn' })), repeated)
      await sql(change, [first.request_id])
      const [second] = await sql(
        'select request_id from bulk where organization_id = $1 order by bulk_no desc',
        [organizationId]
      )
      await sql(change, [second?.['request_id']])
      assert.deepEqual(await warningsOf(organizationId, aBulk()), [])
    }
    const other = await anOrganization(db)
    assert.deepEqual(await warningsOf(other, aBulk()), [])
  })

  it('is looked for 30 days back', async () => {
    const organizationId = await anOrganization(db)
    await accept(organizationId, aBulk())
    const age = async (days: number) => {
      await sql('alter table bulk_check disable trigger append_only')
      await sql(
        `update bulk_check set accepted_at = now() - $2 * interval '1 day' where organization_id = $1`,
        [organizationId, days]
      )
      await sql('alter table bulk_check enable trigger append_only')
      const preview = await previewBulk(context, organizationId, aBulk())
      return preview.outcome === 'refused' ? -1 : preview.acceptance.warnings_total
    }
    assert.equal(await age(29), 1)
    assert.equal(await age(31), 0)
  })

  it('is one whose four bytes are the same only if all else is, too', async () => {
    const organizationId = await anOrganization(db)
    await accept(organizationId, aBulk())
    await sql('alter table bulk_check disable trigger append_only')
    const other = aBulk({ credit_transfers: [aTransfer({ amount: '3.33' })] })
    await accept(organizationId, other)
    await sql(
      `update bulk_check set fingerprints = (select fingerprints from bulk_check join bulk using (organization_id, bulk_no) where request_id = $1)
       where organization_id = $2`,
      [other.request_id, organizationId]
    )
    await sql('alter table bulk_check enable trigger append_only')
    const { warnings } = await accept(organizationId, { ...other, request_id: randomUUID() })
    assert.deepEqual(
      warnings.map(({ detail }) => detail.includes(other.request_id)),
      [true]
    )
  })
})

describe('the warnings of a bulk', () => {
  it('are answered again by a replay, in the same words, whatever has changed since', async () => {
    const organizationId = await anOrganization(db)
    const bulk = aBulk({
      credit_transfers: [aTransfer({ counterparty_name: 'Zoë', counterparty_bic: 'CRLYFRPPTOU' })]
    })
    const first = await accept(organizationId, bulk)
    assert.deepEqual(
      first.warnings.map(({ code }) => code),
      ['bic-iban-mismatch', 'character-set']
    )
    await sql(`update organization set validation = 'lenient' where organization_id = $1`, [organizationId])
    const again = await accept(organizationId, { ...bulk, duplicate_check: 'reject' })
    assert.equal(JSON.stringify(again), JSON.stringify(first))
  })

  it('are the first 100 of them, and all of them in a dry run', async () => {
    const organizationId = await anOrganization(db)
    const bulk = aBulk({ transfers: 151, amount: '1' })
    const preview = await previewBulk(context, organizationId, bulk)
    assert.equal(preview.outcome === 'accepted' && preview.acceptance.warnings.length, 150)
    const { warnings, warnings_total } = await accept(organizationId, bulk)
    assert.deepEqual([warnings.length, warnings_total], [100, 150])
    assert.equal((await accept(organizationId, bulk)).warnings_total, 150)
  })
})

describe('an organization that is checked leniently', () => {
  it('can send what the seed sent, and is told what is wrong with it', async () => {
    const organizationId = await anOrganization(db)
    const credit_transfers = [
      aTransfer({ counterparty_iban: 'EE383680981021245685', counterparty_bic: 'CRLYFRPPTOU' }),
      aTransfer({ counterparty_iban: 'DE9935420810036209081725212', counterparty_bic: 'ZDRPLBQI' }),
      aTransfer({ counterparty_iban: 'FR0010009380540930414023042', counterparty_bic: 'RNJZNTMC' })
    ]
    const strict = await submitBulk(context, organizationId, aBulk({ credit_transfers }))
    assert.equal(strict.outcome === 'refused' && strict.problem.reason, 'invalid-counterparty')
    await sql(`update organization set validation = 'lenient' where organization_id = $1`, [organizationId])
    assert.deepEqual(await warningsOf(organizationId, aBulk({ credit_transfers })), [
      '/credit_transfers/0/counterparty_iban iban-checksum',
      '/credit_transfers/1/counterparty_iban iban-length',
      '/credit_transfers/2/counterparty_iban iban-checksum',
      '/credit_transfers/2/counterparty_bic bic-country'
    ])
  })
})

describe('the account that pays', () => {
  it('may be named by the BIC of its head office, with or without XXX', async () => {
    const organizationId = await anOrganization(db)
    await accept(organizationId, aBulk({ organization_bic: 'OIVUSCLQ' }))
    const other = await submitBulk(context, organizationId, aBulk({ organization_bic: 'OIVUSCLQ500' }))
    assert.equal(other.outcome === 'refused' && other.problem.reason, 'unknown-account')
  })

  it('has to be in the currency of the transfers', async () => {
    const organizationId = await anOrganization(db)
    await sql(
      `insert into account (organization_id, kind, iban, bic, currency, balance_minor)
       values ($1, 'CUSTOMER', 'DOLLARS', 'OIVUSCLQXXX', 'USD', 100000)`,
      [organizationId]
    )
    const refused = await submitBulk(context, organizationId, aBulk({ organization_iban: 'DOLLARS' }))
    assert.equal(refused.outcome === 'refused' && refused.problem.reason, 'currency-not-supported')
  })
})
