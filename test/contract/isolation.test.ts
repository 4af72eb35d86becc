import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import pg from 'pg'
import { createTestDatabase } from '../support/database.ts'

const { url, sql } = await createTestDatabase()

/** Tables that belong to no organization, and why. */
const shared: Record<string, string> = {
  migration: 'what the schema is',
  job: 'how far the jobs of the whole installation have come',
  rate_limit: 'how often each caller has called'
}

const tables = await sql<{ name: string; organization: boolean; protected: boolean }>(
  `select c.relname::text as name, c.relrowsecurity as protected,
          exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'organization_id') as organization
   from pg_class c where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace`
)
const own = tables.filter(({ name }) => !Object.hasOwn(shared, name))

/** As the API's role, told of an organization or of none; any SQL at all. */
async function asApi<T extends pg.QueryResultRow>(organizationId: number | null, text: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url, options: '-c role=bulkhead_api' })
  await client.connect()
  try {
    if (organizationId !== null)
      await client.query(`select set_config('bulkhead.organization_id', $1, false)`, [String(organizationId)])
    return (await client.query<T>(text)).rows
  } finally {
    await client.end()
  }
}

/** Two organizations with a row of each in every table, whatever columns it has. */
async function fillEverything(): Promise<[number, number]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const ids: number[] = []
  try {
    await client.query('set session_replication_role = replica')
    for (let nr = 0; nr < 2; nr++) {
      const { rows } = await client.query<{ id: number }>(
        `insert into organization (name) values ('ACME') returning organization_id as id`
      )
      ids.push(rows[0]?.id ?? 0)
    }
    for (const { name } of own.filter((table) => table.name !== 'organization'))
      for (const id of ids) await insertAnything(client, name, id)
  } finally {
    await client.end()
  }
  return [ids[0] ?? 0, ids[1] ?? 0]
}

/** A row with something in each column that needs it. Check constraints are lifted, as is what they would say. */
async function insertAnything(client: pg.Client, table: string, organizationId: number): Promise<void> {
  const { rows: checks } = await client.query<{ name: string }>(
    `select conname::text as name from pg_constraint where contype = 'c' and conrelid = $1::regclass`,
    [table]
  )
  for (const { name } of checks) await client.query(`alter table ${table} drop constraint ${name}`)
  const { rows: columns } = await client.query<{ name: string; type: string }>(
    `select attname::text as name, format_type(atttypid, null) as type from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped and attnotnull and not atthasdef
       and attidentity = '' and attname <> 'organization_id'`,
    [table]
  )
  const values = columns.map(({ type }) => anything(type))
  await client.query(
    `insert into ${table} (organization_id${columns.map(({ name }) => `, ${name}`).join('')})
     values (${organizationId}${values.map((value) => `, ${value}`).join('')})`
  )
}

function anything(type: string): string {
  if (type.endsWith('[]')) return `'{}'`
  if (/^(smallint|integer|bigint)$/.test(type)) return '1'
  if (type === 'uuid') return `'${randomUUID()}'`
  if (type === 'bytea') return `'x'`
  if (type.startsWith('timestamp') || type === 'date') return 'now()'
  if (type === 'boolean') return 'true'
  if (type.startsWith('json')) return `'{}'`
  if (type === 'text') return `'${randomUUID()}'`
  return `(select (enum_range(null::${type}))[1])`
}

const [mine, other] = await fillEverything()

describe('every table', () => {
  it('belongs to an organization, or is told here to be shared', () => {
    assert.deepEqual(
      own.filter((table) => !table.organization).map(({ name }) => name),
      []
    )
    assert.ok(own.length >= 15)
  })

  for (const { name, protected: isProtected } of own)
    it(`${name} shows the API's role the rows of one organization, and changes no other's`, async () => {
      assert.ok(isProtected, 'row-level security is not enabled')
      const [all] = await sql<{ count: bigint }>(`select count(*)::int as count from ${name}`)
      assert.ok(Number(all?.count) >= 2)
      const seen = async (organizationId: number | null): Promise<string> => {
        try {
          const rows = await asApi<{ id: number }>(
            organizationId,
            `select distinct organization_id as id from ${name} order by 1`
          )
          return rows.map((row) => row.id).join()
        } catch (error) {
          return /permission denied/.test(String(error)) ? '' : String(error)
        }
      }
      assert.ok(['', String(mine)].includes(await seen(mine)))
      assert.ok(['', String(other)].includes(await seen(other)))
      assert.equal(await seen(null), '')
      const attempt = asApi(
        mine,
        `update ${name} set ${name === 'organization' ? 'name = name' : 'organization_id = organization_id'} where organization_id = ${other}
                                   returning organization_id`
      )
      assert.deepEqual(
        await attempt.catch((error: unknown) => {
          assert.match(String(error), /permission denied|is refused/)
          return []
        }),
        []
      )
    })

  for (const name of Object.keys(shared))
    it(`${name} is closed to the API's role`, async () => {
      await assert.rejects(asApi(mine, `select * from ${name}`), /permission denied/)
    })

  it('hides something: what one organization may read, the other has as well', async () => {
    assert.deepEqual(await asApi(mine, 'select organization_id from bulk'), [{ organization_id: mine }])
  })

  it('of keys is closed to workers', async () => {
    const client = new pg.Client({ connectionString: url, options: '-c role=bulkhead_worker' })
    await client.connect()
    await assert.rejects(client.query('select * from api_key'), /permission denied/)
    await client.end()
  })
})
