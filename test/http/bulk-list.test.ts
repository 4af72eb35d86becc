import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { statements } from '../../src/database/statement.ts'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { aBulk, anOrganization, aTransfer } from '../support/builders.ts'
import { listen } from '../support/api.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const context = createTestContext(database)
const { db, sql } = database

async function openApi() {
  const api = await listen(context, { organizationId: await anOrganization(db) })
  const submit = async (count: number) => {
    const bulks = Array.from({ length: count }, () => aBulk({ amount: '1.00', transfers: 1 }))
    for (const bulk of bulks) assert.equal((await api.post('/transfers/bulk', bulk)).status, 201)
    return bulks.map(({ request_id }) => request_id)
  }
  const list = async (query = '') => {
    const { status, body } = await api.ask(`/transfers/bulk${query}`)
    assert.equal(status, 200)
    return body
  }
  return { ...api, submit, list }
}

async function work(): Promise<boolean> {
  const claim = await claimWork(context, 'test')
  if (claim) await executeClaim(context, claim)
  return claim !== null
}

const idsOf = (page: { data: { bulk_id: string }[] }) => page.data.map(({ bulk_id }) => bulk_id)

describe('the list of bulks', () => {
  it('has each as it is read alone, the newest first', async () => {
    const api = await openApi()
    const [first, second] = await api.submit(2)
    const page = await api.list()
    assert.deepEqual(idsOf(page), [second, first])
    assert.deepEqual(page.data[0], (await api.ask(`/transfers/bulk/${second}`)).body)
    assert.deepEqual([page.has_more, page.next_cursor], [false, null])
    assert.deepEqual(await (await openApi()).list(), { data: [], has_more: false, next_cursor: null })
  })

  it('neither skips nor repeats a bulk while they are worked off and new ones come', async () => {
    const api = await openApi()
    const bulks = await api.submit(20)
    const seen: string[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const page = await api.list(`?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`)
      seen.push(...idsOf(page))
      cursor = page.next_cursor
      await work()
      await api.submit(1)
    }
    assert.deepEqual(seen, bulks.toReversed())
  })

  it('can be of one status', async () => {
    const api = await openApi()
    while (await work());
    const done = await api.submit(3)
    while (await work());
    const waiting = await api.submit(2)
    assert.deepEqual(idsOf(await api.list('?status=COMPLETED')), done.toReversed())
    assert.deepEqual(idsOf(await api.list('?status=PENDING')), waiting.toReversed())
    const page = await api.list('?status=COMPLETED&limit=2')
    assert.equal(page.has_more, true)
    assert.deepEqual(idsOf(await api.list(`?status=COMPLETED&limit=2&cursor=${page.next_cursor}`)), [done[0]])
  })

  it('can be of a span of time, by date or to the instant', async () => {
    const api = await openApi()
    const bulks = await api.submit(3)
    for (const [index, day] of ['2026-01-01', '2026-01-02', '2026-01-03'].entries())
      await sql(
        `begin; set local session_replication_role = replica;
         update bulk set accepted_at = '${day}T10:00:00Z' where request_id = '${bulks[index]}'; commit`
      )
    const [first, second, third] = bulks
    assert.deepEqual(idsOf(await api.list('?from=2026-01-02')), [third, second])
    assert.deepEqual(idsOf(await api.list('?to=2026-01-02')), [first])
    assert.deepEqual(idsOf(await api.list('?from=2026-01-02T10:00:00Z&to=2026-01-03T10:00:00Z')), [second])
    assert.deepEqual(idsOf(await api.list('?from=2026-01-02T12:00:00%2B02:00&to=2026-01-03')), [second])
    assert.deepEqual(idsOf(await api.list('?from=0000-01-01&to=9999-12-31')), [third, second, first])
    for (const query of [
      'from=yesterday',
      'from=2026-02-30',
      'to=2026-01-01T00:00:00%2B99:00',
      'status=DONE',
      'limit=0',
      'cursor=x',
      'sort=asc'
    ])
      assert.equal((await api.ask(`/transfers/bulk?${query}`)).status, 400, query)
  })

  it('is read by an index and never sorted, however many there are', async () => {
    const api = await openApi()
    await api.submit(1)
    for (const [name, index] of [
      ['select-bulks', 'bulk_by_time'],
      ['select-bulks-of-status', 'bulk_by_status']
    ]) {
      const text = statements.find(({ definition }) => definition.name === name)?.definition.text ?? ''
      const plan = await db.transaction(async (tx) => {
        const run = (query: string) => tx.query({ name: '', text: query, values: [] })
        // Ten thousand bulks, so that the planner has something to choose between; gone with the transaction.
        await run('set local session_replication_role = replica')
        await run(`
          insert into bulk overriding system value
          select many.* from (select * from bulk order by bulk_no desc limit 1) b, generate_series(1, 10000) n,
            jsonb_populate_record(null::bulk, to_jsonb(b) || jsonb_build_object(
              'bulk_no', -n, 'request_id', gen_random_uuid(), 'bulk_reference', lpad(n::text, 26, 'A'),
              'accepted_at', b.accepted_at - n * interval '1 minute',
              'status', case n % 2 when 0 then 'PENDING' else 'PROCESSING' end)) many`)
        await run('analyze bulk')
        await run('set local plan_cache_mode = force_generic_plan')
        await run(`prepare listed as ${text}`)
        const nulls = Array.from({ length: new Set(text.match(/\$\d+/g)).size }, () => 'null').join(', ')
        const { rows } = await run(`explain execute listed(${nulls})`)
        await run('deallocate listed')
        await run('rollback')
        return rows.map((row) => String(row['QUERY PLAN']))
      })
      assert.ok(
        plan.some((line) => line.includes(`using ${index}`)),
        plan.join('\n')
      )
      // Its condition holds the organization, the span of time and the place in the list.
      assert.ok(
        plan.some((line) => /Index Cond: .*organization_id.*accepted_at.*ROW\(/.test(line)),
        plan.join('\n')
      )
      assert.ok(!plan.some((line) => /Sort|Seq Scan on bulk\b/.test(line)), plan.join('\n'))
    }
  })
})

describe('the transfers of a bulk', () => {
  it("can be looked up by the client's own id and by IBAN", async () => {
    const api = await openApi()
    const iban = 'FR7630006000011234567890189'
    const bulk = aBulk({
      credit_transfers: [
        aTransfer({ client_transfer_id: 'A' }),
        aTransfer({ client_transfer_id: 'B', counterparty_iban: iban }),
        aTransfer({ counterparty_iban: iban })
      ]
    })
    assert.equal((await api.post('/transfers/bulk', bulk)).status, 201)
    const find = async (query: string) => {
      const { body } = await api.ask(`/transfers/bulk/${bulk.request_id}/transfers?${query}`)
      return body.data.map(({ index }: { index: number }) => index)
    }
    assert.deepEqual(await find('client_transfer_id=B'), [1])
    assert.deepEqual(await find('counterparty_iban=fr76%203000%206000%200112%203456%207890%20189'), [1, 2])
    assert.deepEqual(await find(`counterparty_iban=${iban}&client_transfer_id=A`), [])
    for (const query of [
      'client_transfer_id=%00',
      'counterparty_iban=DE%00',
      `client_transfer_id=${'x'.repeat(65)}`
    ])
      assert.equal(
        (await api.ask(`/transfers/bulk/${bulk.request_id}/transfers?${query}`)).status,
        400,
        query
      )
  })
})
