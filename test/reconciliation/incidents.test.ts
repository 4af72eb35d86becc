import assert from 'node:assert/strict'
import { it } from 'node:test'
import { listIncidents, openIncident, resolveIncident, resolveOthers } from '../../src/incidents/incidents.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { makeLedger } from './ledger.ts'

interface Alarm {
  level: string
  msg: string
  subject: string
}

async function arrange() {
  const { context, database, organization_id } = await makeLedger()
  const alarms: Alarm[] = []
  context.log = createLog('error', { write: (line) => void alarms.push(JSON.parse(line) as Alarm) })
  const open = (subject: string) =>
    openIncident(context, {
      kind: 'overdue-work',
      subject,
      details: 'nobody works on it',
      organization_id,
      bulk_no: null,
      seq: null
    })
  const list = async () => {
    const query = { organization_id, before_no: null, open: null, limit: 10 }
    const incidents = await listIncidents(database.db, query)
    return incidents.map(
      ({ subject, resolved_at }) => `${subject} ${resolved_at === null ? 'open' : 'ended'}`
    )
  }
  return { database, alarms, open, list }
}

it('is one incident and one alarm as long as it lasts, however many find it at once', async () => {
  const { alarms, open, list } = await arrange()
  await Promise.all(Array.from({ length: 8 }, () => open('bulk 1')))
  await open('bulk 1')
  assert.deepEqual(await list(), ['bulk 1 open'])
  assert.deepEqual(
    alarms.map(({ level, msg, subject }) => [level, msg, subject]),
    [['error', 'incident: Transfers are due and nobody works on them.', 'bulk 1']]
  )
})

it('is another incident, with its own alarm, when it comes back', async () => {
  const { database, alarms, open, list } = await arrange()
  await open('bulk 1')
  await open('bulk 2')
  const ended = await resolveOthers(database.db, { kind: 'overdue-work', subjects: ['bulk 2'] })
  assert.equal(ended.length, 1)
  await open('bulk 1')
  await open('bulk 2')
  assert.deepEqual(await list(), ['bulk 1 open', 'bulk 2 open', 'bulk 1 ended'])
  assert.deepEqual(
    alarms.map(({ subject }) => subject),
    ['bulk 1', 'bulk 2', 'bulk 1']
  )
})

it('ends no incident of another kind', async () => {
  const { database, open, list } = await arrange()
  await open('bulk 1')
  await resolveOthers(database.db, { kind: 'orphaned-reserve', subjects: [] })
  assert.deepEqual(await list(), ['bulk 1 open'])
})

it('is ended by a person once, who is remembered, and is never changed otherwise', async () => {
  const { database, open, list } = await arrange()
  await open('bulk 1')
  const [row] = await database.sql<{ incident_no: string }>('select incident_no from incident')
  const word = {
    incident_no: BigInt(row?.incident_no ?? 0),
    actor: 'operator:Ada',
    resolution: 'Ada: letter of the bank'
  }
  await assert.rejects(database.sql(`update incident set details = 'nothing'`), /may not change in this way/)
  assert.deepEqual(await resolveIncident(database.db, word), [{ kind: 'overdue-work', subject: 'bulk 1' }])
  assert.deepEqual(await resolveIncident(database.db, word), [])
  assert.deepEqual(await list(), ['bulk 1 ended'])
  await assert.rejects(database.sql('update incident set resolved_at = null'), /may not change in this way/)
})
