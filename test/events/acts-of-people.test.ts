import assert from 'node:assert/strict'
import { it } from 'node:test'
import { pagesOfAudit } from '../../src/events/audit-log.ts'
import { sealEvents } from '../../src/events/seal-events.ts'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { resolveTransfer } from '../../src/execution/notices.ts'
import { releaseBulk } from '../../src/execution/release-bulk.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { openIncident, resolveIncident } from '../../src/incidents/incidents.ts'
import { setPolicies } from '../../src/organizations/organizations.ts'
import { submitBulk } from '../../src/transfers/submit-bulk.ts'
import { aBulk, anOrganization, aTransfer } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'
import { createScriptedPayees } from '../support/scripted-payees.ts'

const database = await createTestDatabase()
const origin = { actor: 'key:abcdefghijkl', trace_id: 'f'.repeat(32) }
const context = { ...createTestContext(database), payeeCheck: createScriptedPayees(), origin }

async function lastAct(organization_id: number) {
  while ((await sealEvents(context.db)) > 0);
  const records = []
  for await (const page of pagesOfAudit(context.db, { organization_id, after: 0n })) records.push(...page)
  const { type, actor, trace_id, data } = records.at(-1) ?? {}
  return { type, actor, trace_id, data }
}

it('that the payer confirmed payees is told with who, in which request, before and after', async () => {
  const id = await anOrganization(context.db)
  await setPolicies(context.db, id, { payee_check: 'hold' }, origin)
  const bulk = aBulk({ credit_transfers: [aTransfer({ counterparty_name: 'no-match' })] })
  assert.equal((await submitBulk(context, id, bulk)).outcome, 'accepted')
  assert.equal((await releaseBulk(context, id, bulk.request_id)).outcome, 'released')
  assert.deepEqual(await lastAct(id), {
    type: 'payees.released',
    ...origin,
    data: {
      account: null,
      bulk_id: bulk.request_id,
      transfers: 1,
      before: { hold: 'active' },
      after: { hold: null }
    }
  })
})

it('that an operator ended a transfer is told with who, before and after, and not with the evidence', async () => {
  const id = await anOrganization(context.db)
  const bulk = aBulk()
  await submitBulk(context, id, bulk)
  context.bank.script = () => ({ outcome: 'unknown', cause: 'timeout' })
  for (let claim = await claimWork(context, 'test'); claim; claim = await claimWork(context, 'test'))
    await executeClaim(context, claim)
  const [row] = await database.sql<{ reference: string }>(
    `select bulk_reference as reference from bulk where organization_id = $1`,
    [id]
  )
  const bulk_reference = row?.reference ?? ''
  const word = { status: 'FAILED', reason_code: 'AC04', operator: 'Ada', evidence: 'a letter' } as const
  assert.equal((await resolveTransfer(context, { bulk_reference, seq: 0 }, word)).outcome, 'recorded')
  assert.deepEqual(await lastAct(id), {
    type: 'transfer.resolved',
    actor: 'operator:Ada',
    trace_id: null,
    data: {
      transfer_id: `${bulk_reference}-0`,
      bulk_id: bulk.request_id,
      before: { status: 'UNKNOWN' },
      after: { status: 'FAILED', reason_code: 'AC04' }
    }
  })
})

it('that an operator ended an incident is told with who, before and after, and not in whose words', async () => {
  const id = await anOrganization(context.db)
  const about = { organization_id: id, bulk_no: null, seq: null, subject: `of ${id}`, details: 'it differs' }
  await openIncident(context, { kind: 'contradictory-result', ...about })
  const [open] = await database.sql<{ no: string }>(
    `select incident_no as no from incident where organization_id = $1`,
    [id]
  )
  const resolution = 'Ada: the bank sent a letter'
  await resolveIncident(context.db, {
    incident_no: BigInt(open?.no ?? 0),
    actor: 'operator:Ada',
    resolution
  })
  assert.deepEqual(await lastAct(id), {
    type: 'incident.resolved',
    actor: 'operator:Ada',
    trace_id: null,
    data: {
      incident_no: Number(open?.no),
      kind: 'contradictory-result',
      before: { open: true },
      after: { open: false }
    }
  })
})
