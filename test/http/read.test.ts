import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { demoOrganization } from '../../src/organizations/demo-organization.ts'
import { aBulk, aTransfer, payer } from '../support/builders.ts'
import { listen } from '../support/api.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const context = createTestContext(database)
const api = await listen(context)

async function workOff(): Promise<void> {
  for (let next = await claimWork(context, 'test'); next; next = await claimWork(context, 'test'))
    await executeClaim(context, next)
}

async function accepted(change: Parameters<typeof aBulk>[0] = {}) {
  const bulk = aBulk({ amount: '1', ...change })
  assert.equal((await api.post('/transfers/bulk', bulk)).status, 201)
  return bulk
}

describe('the status of a bulk', () => {
  it('tells counts and amounts that add up, from acceptance to the end', async () => {
    const bulk = await accepted({ transfers: 120 })
    const path = `/transfers/bulk/${bulk.request_id}/status`
    const before = await api.ask(path)
    assert.equal(before.headers.get('retry-after'), '1')
    assert.deepEqual(
      [before.body.status, before.body.pending, before.body.progress],
      ['PENDING', { count: 120, amount: '120.00' }, 0]
    )
    await workOff()
    const { body, headers } = await api.ask(path)
    const { accepted_at, completed_at, version, ...rest } = body
    assert.ok(completed_at >= accepted_at && version > before.body.version)
    const none = { count: 0, amount: '0.00' }
    const all = { count: 120, amount: '120.00' }
    assert.deepEqual(rest, {
      bulk_id: bulk.request_id,
      status: 'COMPLETED',
      final: true,
      held: false,
      needs_attention: false,
      currency: 'EUR',
      progress: 1,
      total: all,
      executed: all,
      pending: none,
      processing: none,
      unknown: none,
      failed: none,
      cancelled: none,
      returned: none
    })
    assert.equal(headers.get('retry-after'), null)
  })

  it('costs nothing to poll while nothing changes', async () => {
    const bulk = await accepted()
    const path = `/transfers/bulk/${bulk.request_id}/status`
    const etag = (await api.ask(path)).headers.get('etag') ?? ''
    const unchanged = await api.ask(path, { headers: { 'if-none-match': etag } })
    assert.deepEqual([unchanged.status, unchanged.body, unchanged.headers.get('etag')], [304, null, etag])
    await workOff()
    assert.equal((await api.ask(path, { headers: { 'if-none-match': etag } })).status, 200)
  })

  it('is told anew when somebody should look, although nothing of it has changed', async () => {
    const bulk = await accepted()
    const path = `/transfers/bulk/${bulk.request_id}/status`
    const etag = (await api.ask(path)).headers.get('etag') ?? ''
    await database.sql(
      `insert into incident (kind, subject, details, organization_id, bulk_no)
       select 'overdue-work', $1::uuid::text, 'nobody works on it', organization_id, bulk_no from bulk where request_id = $1::uuid`,
      [bulk.request_id]
    )
    const { status, body } = await api.ask(path, { headers: { 'if-none-match': etag } })
    assert.deepEqual([status, body.needs_attention], [200, true])
  })

  it('is 404 for a bulk that does not exist, whatever the id looks like', async () => {
    for (const id of [randomUUID(), 'x', '%F0%9F%98%80', "';--", '00000000-0000-0000-0000-000000000000'])
      for (const path of ['', '/status', '/transfers'])
        assert.equal((await api.ask(`/transfers/bulk/${id}${path}`)).status, 404)
  })
})

describe('a bulk and its transfers', () => {
  it('are given back as they were sent in', async () => {
    const transfer = aTransfer({
      amount: '1.5',
      client_transfer_id: 'EMP-1',
      end_to_end_id: 'E2E',
      metadata: { team: 'Müller & Söhne' },
      counterparty_name: 'Łukasz Ünal'
    })
    const bulk = await accepted({
      credit_transfers: [transfer],
      label: 'Payroll',
      metadata: { run: '7' },
      on_failure: 'stop'
    })
    await workOff()
    const read = await api.ask(`/transfers/bulk/${bulk.request_id}`)
    assert.deepEqual(
      [
        read.body.label,
        read.body.metadata,
        read.body.on_failure,
        read.body.organization_iban,
        read.body.organization_bic
      ],
      ['Payroll', { run: '7' }, 'stop', payer.organization_iban, payer.organization_bic]
    )
    const [listed] = (await api.ask(read.body.transfers_url)).body.data
    assert.deepEqual((await api.ask(`/transfers/${listed.transfer_id}`)).body, listed)
    const { updated_at, attempts, transfer_id, ...rest } = listed
    assert.deepEqual(rest, {
      ...transfer,
      amount: '1.50',
      bulk_id: bulk.request_id,
      index: 0,
      status: 'EXECUTED',
      retry_of: null,
      payee_check: null,
      retried_as: null,
      returned: null,
      failure: null,
      bank_reference: transfer_id
    })
    assert.deepEqual(attempts, [{ status: 'EXECUTED', reason: null, at: updated_at }])
  })

  it('are listed in pages that neither skip nor repeat, also while they are executed', async () => {
    const bulk = await accepted({ transfers: 250 })
    const seen: number[] = []
    let cursor: string | null = null
    do {
      const path: string = `/transfers/bulk/${bulk.request_id}/transfers?limit=40${cursor === null ? '' : `&cursor=${cursor}`}`
      const { body } = await api.ask(path)
      seen.push(...body.data.map((transfer: { index: number }) => transfer.index))
      assert.equal(body.has_more, body.next_cursor !== null)
      cursor = body.next_cursor
      const claim = await claimWork(context, 'test')
      if (claim) await executeClaim(context, claim)
    } while (cursor !== null)
    assert.deepEqual(
      seen,
      Array.from({ length: 250 }, (_, index) => index)
    )
  })

  it('are filtered by status', async () => {
    const bulk = await accepted({ transfers: 3 })
    context.bank.script = ({ reference }) =>
      reference.endsWith('-1') ? { outcome: 'rejected', code: 'AC04', message: '' } : 'execute'
    await workOff()
    context.bank.script = () => 'execute'
    const path = `/transfers/bulk/${bulk.request_id}/transfers`
    const indexes = async (status: string) =>
      (await api.ask(`${path}?status=${status}`)).body.data.map(({ index }: { index: number }) => index)
    assert.deepEqual(
      [await indexes('FAILED'), await indexes('EXECUTED'), await indexes('PENDING')],
      [[1], [0, 2], []]
    )
    assert.equal((await api.ask(`${path}?status=LOST`)).status, 400)
  })

  it('end after a cursor that is beyond them', async () => {
    const bulk = await accepted()
    const cursor = Buffer.from('v1:999999999999999').toString('base64url')
    const answer = await api.ask(`/transfers/bulk/${bulk.request_id}/transfers?cursor=${cursor}`)
    assert.deepEqual([answer.status, answer.body.data], [200, []])
    const lines = await api.ask(`/accounts/${payer.organization_iban}/transactions?cursor=${cursor}`)
    assert.equal(lines.status, 200)
  })

  it('refuse a limit or cursor that is none', async () => {
    const bulk = await accepted()
    for (const query of [
      'limit=0',
      'limit=-1',
      'limit=1001',
      'limit=x',
      'cursor=x',
      'cursor=djE6LTE',
      'page=2',
      `cursor=${'x'.repeat(5000)}`
    ]) {
      const answer = await api.ask(`/transfers/bulk/${bulk.request_id}/transfers?${query}`)
      assert.deepEqual([answer.status, answer.body.error.reason], [400, 'invalid-parameter'], query)
    }
  })
})

describe('accounts', () => {
  it('are listed and found by IBAN, however it is written', async () => {
    const { body } = await api.ask('/accounts')
    assert.deepEqual(
      body.data.map(({ iban }: { iban: string }) => iban),
      demoOrganization.accounts.map(({ iban }) => iban)
    )
    const spaced = await api.ask(`/accounts/${encodeURIComponent('fr10 4746 0800 0002 0061 07xx xxx')}`)
    assert.equal(spaced.body.iban, payer.organization_iban)
    assert.equal((await api.ask('/accounts/DE89370400440532013000')).status, 404)
  })

  it('have a statement whose lines add up to the balance', async () => {
    await accepted({ transfers: 30 })
    await workOff()
    const lines: { amount: string; line: number }[] = []
    let cursor: string | null = null
    do {
      const { body } = await api.ask(
        `/accounts/${payer.organization_iban}/transactions?limit=17${cursor === null ? '' : `&cursor=${cursor}`}`
      )
      lines.push(...body.data)
      cursor = body.next_cursor
    } while (cursor !== null)
    const cents = (text: string) => BigInt(text.replace('.', ''))
    const { balance } = (await api.ask(`/accounts/${payer.organization_iban}`)).body
    assert.equal(
      lines.reduce((sum, { amount }) => sum + cents(amount), 0n),
      cents(balance)
    )
    assert.deepEqual(
      lines.map(({ line }) => line),
      Array.from({ length: lines.length }, (_, index) => lines.length - index)
    )
  })
})

describe('another organization', () => {
  it('cannot see a bulk, a transfer or an account that is not its own', async () => {
    const bulk = await accepted()
    const [transfer] = (await api.ask(`/transfers/bulk/${bulk.request_id}/transfers`)).body.data
    const other = await listen(context, { organizationId: api.organizationId + 1000 })
    for (const path of [
      `/transfers/bulk/${bulk.request_id}`,
      `/transfers/bulk/${bulk.request_id}/status`,
      `/transfers/bulk/${bulk.request_id}/transfers`,
      `/transfers/${transfer.transfer_id}`,
      `/accounts/${payer.organization_iban}`
    ])
      assert.equal((await other.ask(path)).status, 404, path)
    assert.deepEqual((await other.ask('/accounts')).body.data, [])
  })
})

describe('manual mode', () => {
  it('executes exactly one transfer a call and reports each final bulk once, as the original did', async () => {
    await workOff()
    const manual = await listen(context, { manual: true })
    const bulk = await accepted({ transfers: 2, amount: '2.50' })
    const job = () => manual.ask('/internal/jobs/transfer')
    const first = await job()
    assert.deepEqual(first.body, {
      status: 'processed',
      transfer_id: first.body.transfer_id,
      amount_cents: -250,
      bulk_request_uuid: bulk.request_id,
      type: 'process-transfer'
    })
    const { executed, pending } = (await api.ask(`/transfers/bulk/${bulk.request_id}/status`)).body
    assert.deepEqual([executed.count, pending.count], [1, 1])
    assert.equal((await manual.ask('/internal/jobs/bulk')).status, 404)
    context.bank.script = () => ({ outcome: 'rejected', code: 'AC04', message: 'closed' })
    const second = await job()
    context.bank.script = () => 'execute'
    assert.deepEqual(
      [second.status, second.body.status, second.body.bulk_request_uuid],
      [422, 'failed', bulk.request_id]
    )
    assert.deepEqual([(await job()).status, (await job()).body.detail], [404, 'No transfer job in queue'])
    const final = await manual.ask('/internal/jobs/bulk')
    const { completed_at, ...report } = final.body
    assert.ok(completed_at)
    assert.deepEqual(report, {
      type: 'finalize-bulk',
      status: 'PARTIALLY_COMPLETED',
      bulk_request_uuid: bulk.request_id,
      total_transferred_amounts_cents: 500,
      processed_amounts_cents: 250
    })
    const none = await manual.ask('/internal/jobs/bulk')
    assert.deepEqual([none.status, none.body.detail], [404, 'No bulk job in queue'])
  })
})

describe('the documentation', () => {
  it('is served with nothing loaded from elsewhere', async () => {
    const page = await api.ask('/docs/')
    assert.equal(page.status, 200)
    assert.doesNotMatch(String(page.body), /https?:\/\//)
    assert.doesNotMatch(page.headers.get('content-security-policy') ?? '', /https?:\/\/(?!localhost)/)
    assert.equal((await api.ask('/openapi.json')).body.openapi, '3.1.0')
  })
})
