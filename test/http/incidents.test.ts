import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openIncident, resolveOthers, type Incident } from '../../src/incidents/incidents.ts'
import { listen } from '../support/api.ts'
import { aBulk, anOrganization } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const context = createTestContext(database)

/** The API of an organization that has an incident of each subject. */
async function withIncidents(subjects: string[], change: Partial<Incident> = {}) {
  const organization_id = await anOrganization(database.db)
  const api = await listen(context, { organizationId: organization_id })
  const open = (subject: string) =>
    openIncident(context, {
      kind: 'contradictory-result',
      subject: `${subject} of ${organization_id}`,
      details: 'it differs',
      organization_id,
      bulk_no: null,
      seq: null,
      ...change
    })
  for (const subject of subjects) await open(subject)
  const list = async (query = '') => (await api.ask(`/incidents${query}`)).body
  const names = async (query = '') =>
    (await list(query)).data.map((row: { subject: string }) => row.subject[0])
  return { organization_id, api, open, list, names }
}

describe('GET /incidents', () => {
  it('lists what is to be looked into, the newest first, a page at a time', async () => {
    const { list, names } = await withIncidents(['a', 'b', 'c'])
    assert.deepEqual(await names(), ['c', 'b', 'a'])
    const first = await list('?limit=2')
    assert.deepEqual([first.data.length, first.has_more], [2, true])
    const { data, has_more, next_cursor } = await list(`?limit=2&cursor=${first.next_cursor}`)
    const { incident_no, opened_at, subject, ...rest } = data[0]
    assert.ok(incident_no > 0 && Date.parse(opened_at) && subject.startsWith('a'))
    assert.deepEqual(rest, {
      kind: 'contradictory-result',
      details: 'it differs',
      resolved_at: null
    })
    assert.deepEqual([has_more, next_cursor], [false, null])
  })

  it('has one as long as it is open, however often it is found, and another when it comes back', async () => {
    const { open, names } = await withIncidents(['a', 'b'])
    await Promise.all(Array.from({ length: 10 }, () => open('a')))
    assert.deepEqual(await names(), ['b', 'a'])
    await resolveOthers(database.db, { kind: 'contradictory-result', subjects: [] })
    assert.deepEqual([await names('?open=true'), await names('?open=false')], [[], ['b', 'a']])
    await open('a')
    assert.deepEqual([await names('?open=true'), await names()], [['a'], ['a', 'b', 'a']])
  })

  it('tells nobody of what is of another organization, or of none', async () => {
    await withIncidents(['x'])
    await withIncidents(['y'], { organization_id: null })
    assert.deepEqual(await (await withIncidents([])).names(), [])
  })

  it('makes the bulk that one is about need attention until it is resolved', async () => {
    const { api, organization_id } = await withIncidents([])
    const bulk = aBulk()
    await api.post('/transfers/bulk', bulk)
    const [row] = await database.sql<{ bulk_no: string }>('select bulk_no from bulk where request_id = $1', [
      bulk.request_id
    ])
    const about = { kind: 'overdue-work' as const, details: '', organization_id, seq: null }
    await openIncident(context, { ...about, subject: bulk.request_id, bulk_no: BigInt(row!.bulk_no) })
    const attention = async () =>
      (await api.ask(`/transfers/bulk/${bulk.request_id}/status`)).body.needs_attention
    assert.equal(await attention(), true)
    await resolveOthers(database.db, { kind: 'overdue-work', subjects: [] })
    assert.equal(await attention(), false)
  })

  it('refuses a parameter that it does not know with the one error body', async () => {
    const { api } = await withIncidents([])
    for (const query of ['open=yes', 'limit=0', 'limit=1001', 'cursor=%00', 'cursor=x', 'kind=x']) {
      const { status, body } = await api.ask(`/incidents?${query}`)
      assert.deepEqual([status, body.error.reason], [400, 'invalid-parameter'], query)
    }
  })
})
