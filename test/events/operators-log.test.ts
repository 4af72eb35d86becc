import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { createKey, revokeKey, rotateKey } from '../../src/access/manage-keys.ts'
import { verifyAuditLog } from '../../src/cli/audit-commands.ts'
import { pagesOfAudit } from '../../src/events/audit-log.ts'
import { operatorsLog } from '../../src/events/record-act.ts'
import { sealEvents } from '../../src/events/seal-events.ts'
import { placeHold, releaseHold } from '../../src/execution/hold.ts'
import { openIncident, resolveIncident } from '../../src/incidents/incidents.ts'
import { createOrganization } from '../../src/organizations/organizations.ts'
import { verify } from '../../src/verification/verify.ts'
import { listen } from '../support/api.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { aKey, bearer } from '../support/keys.ts'

const chance = { bytes: (count: number) => randomBytes(count) }
const bank = { organization_id: null, account_id: null, bulk_no: null }
const by = { actor: 'operator:Ada', trace_id: 'f'.repeat(32) }
const noPayments = {
  async *payments(): AsyncGenerator<never> {
    // The bank was never asked for one.
  }
}

async function actOnNoOrganization({ db }: TestDatabase) {
  const { actor: changed_by, trace_id } = by
  const wanted = { organization_id: null, environment: 'test', label: 'Jane', scopes: ['operator'] } as const
  const made = { ...wanted, scopes: [...wanted.scopes], expires_at: null, created_by: by.actor, trace_id }
  const { key_id } = await createKey(db, made, chance)
  const old = { organization_id: null, key_id, changed_by, trace_id }
  const rotated = await rotateKey(db, { ...old, grace_hours: 1 }, chance)
  await revokeKey(db, old)
  await placeHold(db, bank, { ...by, reason: 'Jane called' })
  await releaseHold(db, bank, by)
  const organization_id = await createOrganization(db, 'Jane Ltd', by)
  while ((await sealEvents(db)) > 0);
  return { key_id, new_key_id: rotated?.key_id, organization_id }
}

async function readLog({ db }: TestDatabase) {
  const records = []
  for await (const page of pagesOfAudit(db, { organization_id: operatorsLog, after: 0n }))
    records.push(...page)
  return records
}

it('what is done to no organization is in the log of the operators: who, what, when, before, after, trace', async () => {
  const database = await createTestDatabase()
  const { key_id, new_key_id, organization_id } = await actOnNoOrganization(database)
  const records = await readLog(database)
  const [held, free] = [{ hold: 'active' }, { hold: null }]
  const nothing = { account: null, bulk_id: null, transfers: 0 }
  const expiring = records[1]?.data as { after: { expires_at: string } }
  assert.ok(Date.parse(expiring.after.expires_at) > Date.now())
  assert.deepEqual(
    records.map(({ type, data }) => [type, data]),
    [
      ['key.created', { key_id, scopes: ['operator'], expires_at: null }],
      ['key.rotated', { key_id, new_key_id, before: { expires_at: null }, after: expiring.after }],
      ['key.revoked', { key_id, before: { revoked: false }, after: { revoked: true } }],
      ['hold.placed', { ...nothing, before: free, after: held }],
      ['hold.released', { ...nothing, before: held, after: free }],
      ['organization.created', { organization_id }]
    ]
  )
  for (const { actor, trace_id, occurred_at } of records) {
    assert.deepEqual({ actor, trace_id }, by)
    assert.ok(Date.now() - Date.parse(occurred_at) < 60_000)
  }
  assert.doesNotMatch(JSON.stringify(records), /Jane/)
})

it('an incident of no organization that a person ends is in it', async () => {
  const database = await createTestDatabase()
  const context = createTestContext(database)
  const about = { organization_id: null, bulk_no: null, seq: null, subject: 'x', details: 'x' }
  await openIncident(context, { kind: 'statement-not-shown', ...about })
  const [open] = await database.sql<{ no: string }>(`select incident_no as no from incident`)
  await resolveIncident(database.db, {
    incident_no: BigInt(open?.no ?? 0),
    actor: by.actor,
    resolution: 'Ada: seen'
  })
  while ((await sealEvents(database.db)) > 0);
  assert.deepEqual(
    (await readLog(database)).map(({ type, actor, data }) => [type, actor, data]),
    [
      [
        'incident.resolved',
        by.actor,
        {
          incident_no: Number(open?.no),
          kind: 'statement-not-shown',
          before: { open: true },
          after: { open: false }
        }
      ]
    ]
  )
})

it('operators read it by GET /admin/audit, as a page and as JSON lines, and organizations do not', async () => {
  const database = await createTestDatabase()
  const { organization_id } = await actOnNoOrganization(database)
  const { url, ask } = await listen(createTestContext(database, { MODE: 'test' }), { demo: false })
  const operator = { headers: bearer(await aKey(database, null)) }
  const records = await readLog(database)
  assert.deepEqual((await ask('/admin/audit', operator)).body, {
    data: records,
    has_more: false,
    next_after: 6
  })
  const lines = await (await fetch(`${url}/admin/audit?format=jsonl&type=key.created`, operator)).text()
  assert.deepEqual(JSON.parse(lines), records[0])
  const own = { headers: bearer(await aKey(database, organization_id)) }
  assert.equal((await ask('/admin/audit', own)).status, 403)
  const { data } = (await ask('/audit', own)).body as { data: { type: string }[] }
  assert.deepEqual(
    data.map(({ type }) => type),
    ['organization.created']
  )
})

describe('one row of the log of the operators', () => {
  const at = (position: number) => `organization_id = ${operatorsLog} and position = ${position}`
  const corruptions: [string, string, number, RegExp][] = [
    ['altered', `update event set actor = 'nobody' where ${at(3)}`, 3, /its hash is not that/],
    ['removed', `delete from event where ${at(3)}`, 4, /the record before it has the position 2/],
    [
      'put in another place',
      `update event set position = 100 where ${at(3)};
       update event set position = 3 where ${at(4)};
       update event set position = 4 where ${at(100)}`,
      3,
      /its hash is not that/
    ]
  ]
  for (const [what, text, position, says] of corruptions)
    it(`${what} is found and named by audit verify and by verify`, async () => {
      const database = await createTestDatabase()
      await actOnNoOrganization(database)
      assert.ok('chain' in (await verifyAuditLog(database.db, operatorsLog)))
      await database.sql(`begin; set local session_replication_role = replica; ${text}; commit`)
      const verdict = await verifyAuditLog(database.db, operatorsLog)
      assert.ok('fault' in verdict)
      assert.equal(verdict.position, position)
      assert.match(verdict.fault, says)
      const { violations } = await verify(database.db, noPayments)
      assert.deepEqual(
        [violations[0]?.invariant, violations[0]?.subject],
        ['I10', `event ${position} of the operators' log`]
      )
    })
})
