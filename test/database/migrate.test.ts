import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, it } from 'node:test'
import pg from 'pg'
import { readAccount } from '../../src/accounts/read-accounts.ts'
import { migrate } from '../../src/database/migrate.ts'
import { readBulkStatus } from '../../src/transfers/read-bulk.ts'
import { submitBulk } from '../../src/transfers/submit-bulk.ts'
import { aBulk, anOrganization, payer } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

const folder = path.join(import.meta.dirname, '../../migrations')
const files = await readdir(folder)
const names = files.map((file) => path.basename(file, '.sql')).toSorted()

describe('migrating', () => {
  it('runs each file once, in order, when three processes start at once', async () => {
    const { sql, url } = await createTestDatabase({ migrated: false })
    const ran = await Promise.all([migrate(url), migrate(url), migrate(url)])
    assert.deepEqual(
      ran.toSorted((a, b) => a.length - b.length),
      [[], [], names]
    )
    const recorded = await sql('select name from migration order by id')
    assert.deepEqual(
      recorded.map(({ name }) => name),
      names
    )
  })

  it('does nothing the second time, and keeps what is stored', async () => {
    const database = await createTestDatabase({ migrated: false })
    const { db, url } = database
    await migrate(url)
    const organizationId = await anOrganization(db)
    const bulk = aBulk({ transfers: 3 })
    await submitBulk(createTestContext(database), organizationId, bulk)
    const look = async () => ({
      bulk: await readBulkStatus(db, organizationId, bulk.request_id),
      account: await readAccount(db, organizationId, payer.organization_iban)
    })
    const before = await look()
    assert.deepEqual([before.bulk?.pending.count, before.account?.reserved], [3, '300.00'])
    assert.deepEqual(await migrate(url), [])
    assert.deepEqual(await look(), before)
  })

  it('waits for nobody who holds rows when there is nothing to do', async () => {
    const { db, sql, url } = await createTestDatabase()
    await anOrganization(db)
    const holder = new pg.Client({ connectionString: url })
    await holder.connect()
    try {
      await holder.query('begin')
      for (const table of ['organization', 'account', 'migration'])
        await holder.query(`select from ${table} for update`)
      assert.deepEqual(await migrate(url), [])
      const locks = await sql('select from pg_locks where not granted')
      assert.equal(locks.length, 0)
    } finally {
      await holder.end()
    }
  })

  it('leaves nothing behind of a file that fails, and goes on from there', async () => {
    const { sql, url } = await createTestDatabase({ migrated: false })
    await sql('create table posting (in_the_way int)')
    await assert.rejects(migrate(url), /relation "posting" already exists/)
    const [left] = await sql(`select to_regclass('account') as account, to_regtype('account_kind') as kind`)
    assert.deepEqual(left, { account: null, kind: null })
    assert.deepEqual(await sql('select name from migration'), [{ name: names[0] }])
    await sql('drop table posting')
    assert.deepEqual(await migrate(url), names.slice(1))
  })

  it('keeps stopped what a failure had stopped before stops had a time', async () => {
    const { sql, url } = await createTestDatabase({ migrated: false })
    await migrateUntil(sql, '0004_guards')
    await sql(`insert into organization (name) values ('ACME Corp')`)
    await sql(`
      insert into account (organization_id, kind, iban, bic, currency)
      values (1, 'CUSTOMER', '${payer.organization_iban}', '${payer.organization_bic}', 'EUR')`)
    for (const [on_failure, failed] of [
      ['stop', 1],
      ['stop', 0],
      ['continue', 1]
    ] as const)
      await sql(
        `insert into bulk (organization_id, account_id, request_id, bulk_reference, content_hash, currency,
           transfer_count, total_minor, chunk_count, status, on_failure, failed_count, failed_minor)
         values (1, 1, gen_random_uuid(), '01JZ000000000000000000000' || $3::text, sha256(''), 'EUR', 2, 200, 1, 'PROCESSING', $1, $2, 100 * $2)`,
        [on_failure, failed, failed + (on_failure === 'stop' ? 2 : 4)]
      )
    await migrate(url)
    const rows = await sql('select stopped_at is not null as stopped from bulk order by bulk_no')
    assert.deepEqual(
      rows.map(({ stopped }) => stopped),
      [true, false, false]
    )
  })
})

/** Brings an empty database to an older state, as the runner left it. */
async function migrateUntil(sql: TestDatabase['sql'], last: string): Promise<void> {
  await sql(
    'create table migration (id serial primary key, name varchar(255) not null, run_on timestamp not null)'
  )
  for (const name of names.slice(0, names.indexOf(last) + 1)) {
    await sql(await readFile(path.join(folder, `${name}.sql`), 'utf8'))
    await sql('insert into migration (name, run_on) values ($1, now())', [name])
  }
}
