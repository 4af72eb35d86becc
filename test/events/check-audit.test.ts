import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, describe, it } from 'node:test'
import { verifyAuditFile, verifyAuditLog } from '../../src/cli/audit-commands.ts'
import { UsageError } from '../../src/cli/usage-error.ts'
import { pagesOfAudit } from '../../src/events/audit-log.ts'
import { recordAct } from '../../src/events/record-act.ts'
import { sealEvents } from '../../src/events/seal-events.ts'
import { anOrganization } from '../support/builders.ts'
import { createTestDatabase } from '../support/database.ts'

const { db, sql } = await createTestDatabase()
const folder = mkdtempSync(path.join(tmpdir(), 'audit-'))
after(() => rmSync(folder, { recursive: true }))

/** An organization with six records, the same but for a number, whose text has what JSON and UTF-8 can get wrong. */
async function aLog(): Promise<number> {
  const organization_id = await anOrganization(db)
  const origin = { actor: 'operator:Zoë "Z" \\', trace_id: null }
  for (let number = 1; number <= 6; number++)
    await recordAct(db, origin, {
      organization_id,
      type: 'key.revoked',
      data: { number, bb: 'ü\n\u2028😀', a: [0.1, 1e21, null, { z: true, y: {} }] }
    })
  while ((await sealEvents(db)) > 0);
  return organization_id
}

async function exportLines(organization_id: number): Promise<string[]> {
  const lines: string[] = []
  for await (const page of pagesOfAudit(db, { organization_id, after: 0n }))
    lines.push(...page.map((record) => JSON.stringify(record)))
  return lines
}

function verifyLines(lines: string[]) {
  const file = path.join(folder, 'export.jsonl')
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''))
  return verifyAuditFile(file)
}

it('a log that nobody touched is in order, in the database and as a file', async () => {
  const id = await aLog()
  const lines = await exportLines(id)
  const { hash } = JSON.parse(lines[5] ?? '') as { hash: string }
  const chain = { organization_id: id, position: 6, hash }
  assert.deepEqual(await verifyAuditLog(db, id), { chain })
  assert.deepEqual(await verifyLines(lines), { chain })
  await assert.rejects(verifyAuditFile(path.join(folder, 'missing')), UsageError)
})

describe('one row of the table', () => {
  const at = (id: number, position: number) => `organization_id = ${id} and position = ${position}`
  const corruptions: [string, (id: number) => string, number, RegExp][] = [
    ['altered', (id) => `update event set actor = 'nobody' where ${at(id, 3)}`, 3, /its hash is not that/],
    [
      'altered with its own hash',
      (
        id
      ) => `update event e set hash = next_hash((select hash from event where ${at(id, 2)}), event_content(e))
               where ${at(id, 3)};
               update event e set data = '{}' where ${at(id, 3)};
               update event e set hash = next_hash((select hash from event where ${at(id, 2)}), event_content(e))
               where ${at(id, 3)}`,
      4,
      /its hash is not that/
    ],
    ['removed', (id) => `delete from event where ${at(id, 3)}`, 4, /the record before it has the position 2/],
    ['removed, the first', (id) => `delete from event where ${at(id, 1)}`, 2, /has the position 0/],
    [
      'inserted',
      (id) => `update event set position = position + 100 where organization_id = ${id} and position > 3;
               update event set position = position - 99 where organization_id = ${id} and position > 100;
               insert into event (organization_id, type, actor, data, position, hash)
               values (${id}, 'key.created', 'nobody', '{}', 4, sha256('x'))`,
      4,
      /its hash is not that/
    ],
    [
      'put in another place',
      (id) => `update event set position = 100 where ${at(id, 3)};
               update event set position = 3 where ${at(id, 4)};
               update event set position = 4 where ${at(id, 100)}`,
      3,
      /its hash is not that/
    ]
  ]
  for (const [what, text, position, says] of corruptions)
    it(`${what} is found at its position`, async () => {
      const id = await aLog()
      await sql(`begin; set local session_replication_role = replica; ${text(id)}; commit`)
      const verdict = await verifyAuditLog(db, id)
      assert.ok('fault' in verdict)
      assert.equal(verdict.position, position)
      assert.match(verdict.fault, says)
      assert.deepEqual(await verifyLines(await exportLines(id)), verdict)
    })
})

describe('one line of an export', () => {
  const lines = async () => exportLines(await aLog())
  const swap = (text: string, from: string, to: string) => {
    assert.ok(text.includes(from))
    return text.replace(from, to)
  }
  const corruptions: [string, (lines: string[]) => string[], number, RegExp][] = [
    [
      'altered',
      (all) => all.with(2, swap(all[2] ?? '', '"number":3', '"number":7')),
      3,
      /shows something else/
    ],
    [
      'altered with its content',
      (all) =>
        all.with(
          2,
          (all[2] ?? '').replace('"number":3', '"number":7').replace('number\\": 3', 'number\\": 7')
        ),
      3,
      /its hash is not that/
    ],
    ['removed', (all) => all.toSpliced(2, 1), 4, /the record before it has the position 2/],
    ['given twice', (all) => all.toSpliced(3, 0, all[2] ?? ''), 3, /the record before it has the position 3/],
    [
      'put in another place',
      (all) => all.with(2, all[3] ?? '').with(3, all[2] ?? ''),
      4,
      /has the position 2/
    ],
    ['that is no record', (all) => all.with(2, '{}'), 3, /no record/],
    [
      'without what it goes on from',
      (all) => all.with(0, swap(all[0] ?? '', '"previous_hash":""', '"previous_hash":"00"')),
      1,
      /does not go on/
    ]
  ]
  for (const [what, change, position, says] of corruptions)
    it(`${what} is found at its position`, async () => {
      const verdict = await verifyLines(change(await lines()))
      assert.ok('fault' in verdict)
      assert.equal(verdict.position, position)
      assert.match(verdict.fault, says)
    })

  it('of another organization is found', async () => {
    const [mine, other] = [await lines(), await lines()]
    const verdict = await verifyLines(mine.with(0, other[0] ?? ''))
    assert.ok('fault' in verdict)
    assert.equal(verdict.position, 2)
  })
})
