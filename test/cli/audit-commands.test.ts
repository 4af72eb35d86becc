import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, it } from 'node:test'
import { sealEvents } from '../../src/events/seal-events.ts'
import { createOrganization } from '../../src/organizations/organizations.ts'
import { createTestDatabase } from '../support/database.ts'

const main = path.join(import.meta.dirname, '../../src/main.ts')
const { db, url, sql } = await createTestDatabase()
const folder = mkdtempSync(path.join(tmpdir(), 'audit-'))
after(() => rmSync(folder, { recursive: true }))

async function bulkhead(...command: string[]): Promise<{ code: number | null; output: string }> {
  const env = { ...process.env, DATABASE_URL: url }
  const child = spawn(process.execPath, [main, ...command], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (part: Buffer) => (output += part.toString()))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, output }
}

it('the log is exported and verified by commands, and what was changed is named with the exit code 1', async () => {
  const id = await createOrganization(db, 'ACME Corp', { actor: 'operator:Ada', trace_id: null })
  await createOrganization(db, 'Globex', { actor: 'operator:Ada', trace_id: null })
  while ((await sealEvents(db)) > 0);

  const exported = await bulkhead('audit', 'export', '--operator')
  const records = exported.output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.deepEqual(
    records.map(({ position, type, actor }) => [position, type, actor]),
    [1, 2].map((position) => [position, 'organization.created', 'operator:Ada'])
  )
  const file = path.join(folder, 'operators.jsonl')
  writeFileSync(file, exported.output)
  const last = String(records[1]?.['hash'])
  const inFile = await bulkhead('audit', 'verify', '--file', file)
  assert.deepEqual(inFile, { code: 0, output: `${file}: 2 records in order, the last ${last}\n` })

  const whole = await bulkhead('audit', 'verify')
  assert.equal(whole.code, 0)
  assert.deepEqual(
    whole.output.split('\n').map((line) => line.split(', the last')[0]),
    [
      'operators: 2 records in order',
      ...[id, id + 1].map((no) => `organization ${no}: 1 records in order`),
      ''
    ]
  )

  await sql(`begin; set local session_replication_role = replica;
             update event set actor = 'nobody' where organization_id = 0 and position = 2; commit`)
  const broken = await bulkhead('audit', 'verify', '--operator')
  assert.deepEqual(broken, {
    code: 1,
    output:
      'operators: BROKEN at position 2: its hash is not that of its content and of the record before it\n'
  })
})
