import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { openIncident } from '../../src/incidents/incidents.ts'
import { examine } from '../../src/cli/doctor.ts'
import {
  examineBank,
  examineBooks,
  examineClock,
  examineServer,
  readServer,
  type ServerState
} from '../../src/monitoring/diagnosis.ts'
import { startSandboxBank, type SandboxBank } from '../../src/sandbox-bank/start-sandbox-bank.ts'
import { makePlace, run } from '../e2e/program.ts'
import { findFreePorts } from '../support/ports.ts'
import { anOrganization } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const context = createTestContext(database)
const folder = mkdtempSync(path.join(tmpdir(), 'bulkhead-doctor-'))
let bank: SandboxBank
let environment: Record<string, string>

before(async () => {
  bank = await startSandboxBank({ port: 0, logFile: path.join(folder, 'payments.jsonl') })
  environment = { DATABASE_URL: database.url, BANK_URL: bank.url, DATA_DIR: path.join(folder, 'none') }
  await anOrganization(database.db)
})
after(async () => {
  await bank.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** What is wrong, as "name: details", after a change of the settings. */
async function wrong(change: Record<string, string | undefined> = {}): Promise<string[]> {
  const findings = await examine({ ...environment, ...change })
  return findings.flatMap((found) => {
    if (found.ok) return []
    assert.ok(found.remedy.length > 20, `${found.name} says what to do`)
    return [`${found.name}: ${found.details}`]
  })
}

function wrongOf(findings: { name: string; ok: boolean }[]): string[] {
  return findings.filter(({ ok }) => !ok).map(({ name }) => name)
}

const healthy: ServerState = {
  version: '18.4',
  version_num: 180_004,
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  standby: false,
  max_connections: 97,
  used_connections: 10,
  now: new Date(0)
}

describe('doctor', () => {
  it('finds nothing wrong with an installation that is well', async () => {
    assert.deepEqual(await wrong(), [])
    const findings = await examine(environment)
    assert.deepEqual(
      findings.map(({ name }) => name),
      [
        'configuration',
        'database',
        'database version',
        'database durability',
        'database connections',
        'clock',
        'migrations',
        'books',
        'bank',
        'bank abilities',
        'bank statement',
        'broker'
      ]
    )
  })

  it('tells every setting that is not valid', async () => {
    assert.deepEqual(await wrong({ PORT: 'abc', WORKER_LANES: '0' }), [
      'configuration: PORT: Invalid input: expected number, received NaN; WORKER_LANES: Too small: expected number to be >=1'
    ])
  })

  it('tells that the database cannot be reached, and goes on to the rest', async () => {
    const [port] = await findFreePorts(1)
    const [first, ...rest] = await wrong({ DATABASE_URL: `postgres://me:secret@127.0.0.1:${port}/none` })
    assert.match(first ?? '', /^database: cannot be used: .*ECONNREFUSED/)
    assert.doesNotMatch(first ?? '', /secret/)
    assert.deepEqual(rest, [])
  })

  it('tells that there is no embedded database yet', async () => {
    assert.match(
      (await wrong({ DATABASE_URL: undefined }))[0] ?? '',
      /^database: there is no embedded database in/
    )
  })

  it('tells of a server that is too old, or a standby', () => {
    const read = { ...context.settings }
    assert.deepEqual(wrongOf(examineServer(healthy, read)), [])
    assert.deepEqual(wrongOf(examineServer({ ...healthy, version_num: 140_011 }, read)), ['database version'])
    assert.deepEqual(wrongOf(examineServer({ ...healthy, standby: true }, read)), ['database version'])
  })

  it('tells of a server that does not keep what it has committed', async () => {
    for (const setting of ['fsync', 'full_page_writes', 'synchronous_commit'] as const) {
      const found = examineServer({ ...healthy, [setting]: 'off' }, context.settings)
      assert.deepEqual(wrongOf(found), ['database durability'])
    }
    const name = new URL(database.url).pathname.slice(1)
    await database.sql(`alter database ${name} set synchronous_commit = off`)
    const told = await wrong()
    await database.sql(`alter database ${name} reset synchronous_commit`)
    assert.deepEqual(told, [
      'database durability: synchronous_commit is off: a crash can lose payments that the bank has executed'
    ])
  })

  it('tells that the server has too few connections left', async () => {
    const told = await wrong({ DATABASE_CONNECTIONS: '200' })
    assert.equal(told.length, 1)
    assert.match(told[0] ?? '', /^database connections: \d+ of \d+ are used$/)
  })

  it('tells of a clock that is wrong, not of a slow answer', () => {
    assert.equal(examineClock(10_000, 10_200, new Date(10_100)).ok, true)
    assert.equal(examineClock(10_000, 18_000, new Date(14_000)).ok, true)
    assert.deepEqual(examineClock(10_000, 10_000, new Date(13_600_000)).ok, false)
    assert.match(examineClock(10_000, 10_000, new Date(7_500)).details, /^2\.5 s ahead of the database$/)
  })

  it('names missing migrations, also where there is none at all', async () => {
    const [last] = await database.sql<{ name: string }>(
      'delete from migration where name = (select max(name) from migration) returning name'
    )
    const told = await wrong()
    await database.sql('insert into migration (name, run_on) values ($1, now())', [last?.name])
    assert.deepEqual(told, [`migrations: missing: ${last?.name}`])
    const empty = await createTestDatabase({ migrated: false })
    assert.match(
      (await wrong({ DATABASE_URL: empty.url }))[0] ?? '',
      /^migrations: missing: 0001_organization, 0002/
    )
  })

  it('tells that the bank is away', async () => {
    const [port] = await findFreePorts(1)
    assert.deepEqual(await wrong({ BANK_URL: `http://127.0.0.1:${port}` }), [
      `bank: http://127.0.0.1:${port} does not answer`
    ])
  })

  it('tells of a bank without a statement, and of one that nothing is known of', async () => {
    context.bank.readStatement = () => Promise.resolve({ outcome: 'unavailable', cause: 'http-403' })
    assert.deepEqual(wrongOf(await examineBank(context.bank, 'bank')), ['bank statement'])
    const careless = { ...context.bank, abilities: { idempotent_submit: true, settlement_window_ms: 0 } }
    assert.deepEqual(wrongOf(await examineBank(careless, 'bank')), ['bank abilities', 'bank statement'])
  })

  it('tells that the broker cannot be used', async () => {
    const [port] = await findFreePorts(1)
    const [told] = await wrong({ BROKER_URL: `amqp://me:secret@127.0.0.1:${port}` })
    assert.match(told ?? '', /^broker: 127\.0\.0\.1:\d+ cannot be used: .*ECONNREFUSED/)
    assert.doesNotMatch(told ?? '', /secret/)
  })

  it('tells of books that do not add up', async () => {
    const corrupt = async (column: string): Promise<string> => {
      await database.sql(`update account set ${column} = ${column} + 1 where iban is not null`)
      const { details, ok } = await examineBooks(database.db)
      await database.sql(`update account set ${column} = ${column} - 1 where iban is not null`)
      assert.equal(ok, false)
      return details
    }
    assert.match(await corrupt('reserved_minor'), /^account \d+\/\d+ reserves the wrong amount$/)
    assert.match(await corrupt('posting_count'), /^account \d+\/\d+ lacks lines of its statement$/)
    const about = { subject: 'x', details: 'x', organization_id: null, bulk_no: null, seq: null }
    await openIncident(context, { kind: 'statement-not-shown', ...about })
    assert.deepEqual(await wrong(), ['books: 1 open incidents'])
    await database.sql('update incident set resolved_at = now()')
    assert.deepEqual(await wrong(), [])
  })

  it('reads what the server really says', async () => {
    const [server] = await readServer(database.db, {})
    assert.ok(server)
    assert.ok(server.version_num >= 150_000 && server.used_connections > 0)
  })
})

describe('the command doctor', () => {
  it('ends with 0 when all is well, and with 1 and what to do when not', async (t) => {
    const place = await makePlace(t, environment)
    const well = await run(place, ['doctor'])
    assert.equal(well.code, 0, well.stdout + well.stderr)
    assert.match(well.stdout, /All is well\.\n$/)
    const ill = await run(place, ['doctor', '--json'], { settings: { LOG_LEVEL: 'loud' } })
    assert.equal(ill.code, 1)
    const { healthy, findings } = JSON.parse(ill.stdout) as { healthy: boolean; findings: unknown[] }
    assert.equal(healthy, false)
    assert.equal(findings.length, 1)
    const text = await run(place, ['doctor'], { settings: { LOG_LEVEL: 'loud' } })
    assert.match(text.stdout, /^WRONG {2}configuration: LOG_LEVEL: .*\n {7}-> Correct these settings/)
  })
})
