import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { BankAnswer } from '../../src/banking/connector.ts'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { receiveNotices, settleNotices } from '../../src/execution/notices.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { listIncidents } from '../../src/incidents/incidents.ts'
import { listTransfers } from '../../src/transfers/read-transfers.ts'
import { submitBulk } from '../../src/transfers/submit-bulk.ts'
import { aBulk, anOrganization } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const { db, sql } = database

/** A transfer whose first answer was lost, and of which a callback then says that it was rejected. */
async function arrange(inquiry: BankAnswer | 'execute') {
  const context = createTestContext(database)
  context.bank.script = (_, kind) => (kind === 'submit' ? { outcome: 'unknown', cause: 'lost' } : inquiry)
  const organization_id = await anOrganization(db)
  const bulk = aBulk()
  assert.equal((await submitBulk(context, organization_id, bulk)).outcome, 'accepted')
  const work = async () => {
    await sql(`update chunk set due_at = now() where due_at is not null and worker is null`)
    const claim = await claimWork(context, 'test')
    if (claim) await executeClaim(context, claim)
  }
  const read = async () => {
    const query = { organization_id, bulk_id: bulk.request_id, first_seq: 0, status: null, limit: 1 }
    const [transfer] = (await listTransfers(db, query)) ?? []
    assert.ok(transfer)
    return transfer
  }
  await work()
  const { transfer_id: reference, amount, currency, counterparty_iban } = await read()
  const notice = { reference, amount, currency, counterparty_iban, notice_id: `${reference} rejected` }
  const rejected = { status: 'REJECTED', reason_code: 'AC04', reason: 'Closed account' } as const
  await receiveNotices(context, [{ ...notice, ...rejected }], 'callback')
  return { context, organization_id, work, read }
}

it('a rejection by callback that the bank does not confirm fails nothing and opens an incident', async () => {
  const { context, organization_id, work, read } = await arrange({ outcome: 'executed' })

  await work()
  await settleNotices(context)

  assert.equal((await read()).status, 'EXECUTED')
  const incidents = await listIncidents(db, { organization_id, before_no: null, open: true, limit: 10 })
  assert.deepEqual(
    incidents.map(({ kind }) => kind),
    ['contradictory-result']
  )
})

it('a rejection by callback ends its transfer once the bank confirms it', async () => {
  const { context, organization_id, work, read } = await arrange({
    outcome: 'rejected',
    code: 'AC04',
    message: 'Closed account'
  })

  await work()
  await settleNotices(context)

  assert.equal((await read()).status, 'FAILED')
  assert.deepEqual(await listIncidents(db, { organization_id, before_no: null, open: true, limit: 10 }), [])
})

it('a rejection by callback leaves its transfer open while the bank says nothing else', async () => {
  const { work, read } = await arrange({ outcome: 'unknown', cause: 'http-500' })

  await work()

  assert.equal((await read()).status, 'UNKNOWN')
})
