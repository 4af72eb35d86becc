import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { ownOrigin } from '../../src/context.ts'
import { setPolicies } from '../../src/organizations/organizations.ts'
import { readBulk } from '../../src/transfers/read-bulk.ts'
import { retryFailed } from '../../src/transfers/retry-failed.ts'
import { previewBulk, submitBulk, type Submission } from '../../src/transfers/submit-bulk.ts'
import { workOff } from '../execution/stage.ts'
import { aBulk } from '../support/builders.ts'
import { accepted, aBulkTo, createPayeeStage, everyResult } from './payee-stage.ts'

const { db, sql, look, arrange, prove } = await createPayeeStage()

function refusal(submission: Submission): string[] {
  if (submission.outcome !== 'refused') return assert.fail('it was accepted')
  const { reason, errors = [] } = submission.problem
  return [reason, ...errors.map(({ pointer, code }) => `${pointer} ${code}`)]
}

const codes = (submission: Submission) =>
  accepted(submission).warnings.map(({ pointer, code }) => `${pointer} ${code}`)

/** What of the evidence is about payees and not about the time. */
async function evidence(organizationId: number) {
  return sql('select results, suggested_names, held from payee_verification where organization_id = $1', [
    organizationId
  ])
}

describe('the check of payees under the policy warn', () => {
  it('asks once about all payees of a bulk, tells what does not match, and pays', async () => {
    const { context, organizationId, payeeCheck, submit } = await arrange()
    const bulk = aBulkTo(everyResult)
    const { warnings, warnings_total, held } = accepted(await submit(bulk))
    assert.deepEqual(
      payeeCheck.calls.map((payees) => payees.map(({ name }) => name)),
      [everyResult]
    )
    assert.deepEqual(payeeCheck.calls[0]?.[0], {
      name: 'match',
      iban: 'DE89370400440532013000',
      bic: 'DEUTDEFFXXX'
    })
    assert.deepEqual(
      warnings.map(({ index, client_transfer_id, code }) => [index, client_transfer_id, code]),
      [
        [1, 'T1', 'payee-close-match'],
        [2, 'T2', 'payee-no-match'],
        [3, 'T3', 'payee-not-checked']
      ]
    )
    assert.match(
      warnings[0]?.detail ?? '',
      /goes by the name "Jane Doe-Smith"\. If it is paid, the money may/
    )
    assert.deepEqual([warnings_total, held], [3, false])
    await workOff(context)
    const { counts, transfers } = look(organizationId, bulk.request_id)
    assert.deepEqual(await counts(), { status: 'COMPLETED', executed: 4 })
    assert.deepEqual(
      (await transfers()).map(({ payee_check }) => payee_check),
      everyResult.map((result) => ({
        result,
        suggested_name: result === 'close-match' ? 'Jane Doe-Smith' : null
      }))
    )
    assert.deepEqual(await evidence(organizationId), [
      { results: 'MCNX', suggested_names: { '1': 'Jane Doe-Smith' }, held: false }
    ])
  })

  it('keeps matches as evidence, too, and says nothing of them', async () => {
    const { organizationId, submit } = await arrange()
    const bulk = aBulkTo(['match', 'match'])
    assert.deepEqual(codes(await submit(bulk)), [])
    const { checked_at, ...told } = (await readBulk(db, organizationId, bulk.request_id))?.payee_check ?? {}
    assert.ok(Math.abs(Date.parse(checked_at ?? '') - Date.now()) < 60_000)
    assert.deepEqual(told, {
      opted_out: false,
      ...{ match: 2, close_match: 0, no_match: 0, not_possible: 0 },
      ...{ held: false, released_at: null, released_by: null }
    })
    await assert.rejects(sql(`update payee_verification set results = 'NN'`), /refused/)
  })

  it('says once, and not of each transfer, that nobody could be asked', async () => {
    const { organizationId, submit } = await arrange()
    const body = aBulkTo(Array.from({ length: 1000 }, () => 'not-possible'))
    assert.deepEqual(codes(await submit(body)), ['/credit_transfers payees-not-checked'])
    assert.deepEqual(await evidence(organizationId), [
      { results: 'X'.repeat(1000), suggested_names: null, held: false }
    ])
  })

  it('tells a mismatch before a hundred other warnings', async () => {
    const { submit } = await arrange()
    const names = [...Array.from({ length: 200 }, () => 'not-possible'), 'match', 'no-match']
    const { warnings, warnings_total } = accepted(await submit(aBulkTo(names)))
    assert.deepEqual([warnings[0]?.code, warnings.length, warnings_total], ['payee-no-match', 100, 201])
  })

  it('answers a replay from the database, with the first words, and asks nobody', async () => {
    const { payeeCheck, submit } = await arrange()
    const bulk = aBulkTo(['no-match', 'close-match'])
    const first = await submit(bulk)
    for (const change of [{}, { payee_check: 'off' as const }]) {
      const again = await submit({ ...bulk, ...change })
      assert.deepEqual([again.outcome, accepted(again)], ['replayed', accepted(first)])
    }
    assert.equal(payeeCheck.calls.length, 1)
  })

  it('asks nobody about a bulk that is refused anyway', async () => {
    const { payeeCheck, submit } = await arrange()
    const taken = aBulkTo(['match'])
    await submit(taken)
    const refused = [
      aBulkTo(['match'], { request_id: taken.request_id, label: 'other' }),
      aBulkTo(['match'], { organization_iban: 'FR7630006000011234567890189' }),
      aBulk({ amount: '100000.01' }),
      aBulk({ amount: '0' })
    ]
    for (const body of refused) assert.equal((await submit(body)).outcome, 'refused')
    assert.equal(payeeCheck.calls.length, 1)
  })

  it('tells a dry run what it found, and keeps nothing', async () => {
    const { context, organizationId } = await arrange('hold')
    const preview = await previewBulk(context, organizationId, aBulkTo(['no-match', 'match']))
    assert.deepEqual(codes(preview), ['/credit_transfers/0/counterparty_name payee-no-match'])
    assert.equal(accepted(preview).held, true)
    assert.deepEqual(await evidence(organizationId), [])
  })

  it('asks again about transfers that failed and are sent again', async () => {
    const { context, organizationId, payeeCheck, submit } = await arrange()
    const bulk = aBulkTo(['match', 'no-match'])
    await submit(bulk)
    context.bank.script = () => ({ outcome: 'rejected', code: 'AC01', message: 'no such account' })
    await workOff(context)
    const again = await retryFailed(context, organizationId, {
      bulk_id: bulk.request_id,
      request_id: randomUUID()
    })
    assert.deepEqual(again && codes(again), ['/credit_transfers/1/counterparty_name payee-no-match'])
    assert.equal(payeeCheck.calls.length, 2)
  })
})

describe('doing without the check of payees', () => {
  it('is the choice of who pays several, and is recorded', async () => {
    const { organizationId, payeeCheck, submit } = await arrange()
    const bulk = aBulkTo(['no-match', 'no-match'], { payee_check: 'off' })
    assert.deepEqual(codes(await submit(bulk)), [])
    assert.equal(payeeCheck.calls.length, 0)
    assert.deepEqual(await evidence(organizationId), [{ results: null, suggested_names: null, held: false }])
    assert.equal((await readBulk(db, organizationId, bulk.request_id))?.payee_check?.opted_out, true)
    const transfers = await look(organizationId, bulk.request_id).transfers()
    assert.deepEqual(
      transfers.map(({ payee_check }) => payee_check),
      [null, null]
    )
  })

  it('is not possible for one transfer alone, whatever the policy', async () => {
    for (const policy of ['off', 'warn', 'hold'] as const) {
      const { submit } = await arrange(policy)
      const submission = await submit(aBulkTo(['match'], { payee_check: 'off' }))
      assert.deepEqual(refusal(submission), ['invalid-request', '/payee_check single-transfer'])
    }
  })

  it('is not possible where the organization has its bulks held', async () => {
    const { submit } = await arrange('hold')
    const submission = await submit(aBulkTo(['match', 'match'], { payee_check: 'off' }))
    assert.deepEqual(refusal(submission), ['invalid-request', '/payee_check opt-out-not-allowed'])
  })

  it('is what the policy off does for every bulk, without a trace', async () => {
    const { organizationId, payeeCheck, submit } = await arrange('off')
    const bulk = aBulkTo(['no-match'])
    assert.deepEqual(codes(await submit(bulk)), [])
    assert.equal(payeeCheck.calls.length, 0)
    assert.equal((await readBulk(db, organizationId, bulk.request_id))?.payee_check, null)
  })

  it('is what warn comes to where nobody can be asked; hold does not', async () => {
    const { context, organizationId } = await arrange()
    const alone = { ...context, payeeCheck: null }
    const bulk = aBulkTo(['match', 'match'])
    assert.deepEqual(codes(await submitBulk(alone, organizationId, bulk)), [])
    assert.equal((await readBulk(db, organizationId, bulk.request_id))?.payee_check, null)
    await setPolicies(db, organizationId, { payee_check: 'hold' }, ownOrigin)
    const submission = await submitBulk(alone, organizationId, aBulkTo(['match', 'match']))
    assert.deepEqual(codes(submission), ['/credit_transfers payees-not-checked'])
    assert.equal(accepted(submission).held, true)
  })
})

describe('every bulk so far', () => {
  it('breaks no invariant', prove)
})
