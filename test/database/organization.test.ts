import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openDatabase } from '../../src/database/database.ts'
import { isUnavailable } from '../../src/database/errors.ts'
import { anOrganization } from '../support/builders.ts'
import { createTestDatabase } from '../support/database.ts'

const { url, db: owner } = await createTestDatabase()
const mine = await anOrganization(owner)
const other = await anOrganization(owner)

/** Options in the address are kept, and do not take the role away. */
const address = new URL(url)
address.searchParams.set('options', '-c work_mem=1234kB -c role=none')

const look = {
  name: 'look',
  text: `select array_agg(organization_id order by 1) as ids, current_user::text as role,
                current_setting('work_mem') as work_mem from organization`,
  values: []
}

describe('a database for an organization', () => {
  it('shows that one only, whoever used the connection before', async () => {
    const db = openDatabase({
      url: address.href,
      maxConnections: 1,
      maxOrganizationConnections: 1,
      applicationName: 'test',
      role: 'bulkhead_worker'
    })
    const seen = async (id: number) => (await db.forOrganization(id).query(look)).rows
    const restricted = (id: number) => [{ ids: [id], role: 'bulkhead_api', work_mem: '1234kB' }]
    for (const id of [mine, other, other, mine]) assert.deepEqual(await seen(id), restricted(id))
    assert.deepEqual(
      (await db.query(look)).rows.map(({ ids, role }) => [ids as number[], role as string]),
      [[[mine, other], 'bulkhead_worker']]
    )
    await assert.rejects(
      db.forOrganization(mine).transaction(async (tx) => {
        await tx.query({ ...look, name: 'wrong', text: 'select 1/0' })
      }),
      /division by zero/
    )
    const rows = await db.forOrganization(other).transaction(async (tx) => (await tx.query(look)).rows)
    assert.deepEqual(rows, restricted(other))
    await db.close()
  })

  it('has half of the connections at most, and waits for one no longer than anybody', async () => {
    const db = openDatabase({ url, maxConnections: 5, applicationName: 'test', connectionTimeoutMs: 2000 })
    const { promise: end, resolve: letThemEnd } = Promise.withResolvers<null>()
    const long = [1, 2].map(() => db.forOrganization(mine).transaction(() => end))
    const [waiting, late] = [1, 2].map(() => db.forOrganization(mine).query(look))
    for (let time = 0; time < 5; time++)
      assert.equal((await db.forOrganization(other).query(look)).rows.length, 1)
    await assert.rejects(waiting!, isUnavailable)
    await assert.rejects(late!, isUnavailable)
    const next = db.forOrganization(mine).query(look)
    letThemEnd(null)
    await Promise.all(long)
    assert.equal((await next).rows.length, 1)
    await db.close()
  })
})
