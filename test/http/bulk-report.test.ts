import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { claimWork } from '../../src/execution/execute-claim.ts'
import { executeClaim } from '../../src/execution/worker.ts'
import { csvField } from '../../src/transfers/report.ts'
import { aBulk, anOrganization, aTransfer } from '../support/builders.ts'
import { listen } from '../support/api.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const context = createTestContext(database)
const api = await listen(context, { organizationId: await anOrganization(database.db) })

async function submit(change: Parameters<typeof aBulk>[0]) {
  const bulk = aBulk(change)
  assert.equal((await api.post('/transfers/bulk', bulk)).status, 201)
  return bulk.request_id
}

async function workOff(): Promise<void> {
  for (let next = await claimWork(context, 'test'); next; next = await claimWork(context, 'test'))
    await executeClaim(context, next)
}

async function report(bulkId: string, query = '', headers: Record<string, string> = {}) {
  const response = await fetch(`${api.url}/transfers/bulk/${bulkId}/report${query}`, { headers })
  assert.equal(response.status, 200)
  return { headers: response.headers, text: await response.text() }
}

describe('the report of a bulk', () => {
  it('tells in CSV what became of each transfer', async () => {
    context.bank.script = ({ amount_minor }) =>
      amount_minor === 2_00n
        ? { outcome: 'rejected', code: 'AC04', message: 'Closed, "for good"' }
        : 'execute'
    const bulkId = await submit({
      credit_transfers: [
        aTransfer({ amount: '1.00', counterparty_name: '=HYPERLINK("http://x")', client_transfer_id: 'A-1' }),
        aTransfer({ amount: '2.00' })
      ]
    })
    await workOff()
    const { headers, text } = await report(bulkId)
    assert.equal(headers.get('content-type'), 'text/csv; charset=utf-8; header=present')
    assert.equal(headers.get('content-disposition'), `attachment; filename="bulk-${bulkId}.csv"`)
    const [header, first, second, end] = text.split('\r\n')
    assert.match(header ?? '', /^index,transfer_id,client_transfer_id,end_to_end_id,amount,currency,/)
    assert.match(
      first ?? '',
      /^0,[0-9A-Z]{26}-0,A-1,,1\.00,EUR,"'=HYPERLINK\(""http:\/\/x""\)",.*,EXECUTED,,,,,,/
    )
    assert.match(second ?? '', /^1,.*,FAILED,AC04,"Closed, ""for good""",/)
    assert.equal(end, '')
    context.bank.script = () => 'execute'
  })

  it('tells the same in JSON lines, by format or by Accept', async () => {
    const bulkId = await submit({ transfers: 2 })
    await workOff()
    const { headers, text } = await report(bulkId, '?format=jsonl')
    assert.equal(headers.get('content-type'), 'application/jsonl')
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
    const { body } = await api.ask(`/transfers/bulk/${bulkId}/transfers`)
    assert.deepEqual(lines, body.data)
    assert.equal((await report(bulkId, '', { accept: 'application/jsonl' })).text, text)
    assert.match((await report(bulkId, '?format=csv', { accept: 'application/jsonl' })).text, /^index,/)
  })

  it('is whole, page after page', async () => {
    const bulkId = await submit({ amount: '0.01', transfers: 401 })
    const { text } = await report(bulkId)
    const indexes = text
      .split('\r\n')
      .slice(1, -1)
      .map((line) => Number(line.split(',')[0]))
    assert.deepEqual(
      indexes,
      Array.from({ length: 401 }, (_, index) => index)
    )
  })

  it('is refused where there is no such bulk, and in another format', async () => {
    const bulkId = await submit({ transfers: 1 })
    const other = await listen(context, { organizationId: await anOrganization(database.db) })
    assert.equal((await other.ask(`/transfers/bulk/${bulkId}/report`)).status, 404)
    assert.equal((await api.ask(`/transfers/bulk/${bulkId}/report?format=pdf`)).status, 400)
  })
})

describe('a field of CSV', () => {
  for (const [value, field] of [
    ['John Doe', 'John Doe'],
    ['Müller & Söhne', 'Müller & Söhne'],
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ['two\r\nlines', '"two\r\nlines"'],
    ['=1+1', `"'=1+1"`],
    ['+33 1', `"'+33 1"`],
    ['-5', `"'-5"`],
    ['@SUM(A1)', `"'@SUM(A1)"`],
    ['  =1+1', `"'  =1+1"`],
    ['\u00a0=1+1', `"'\u00a0=1+1"`],
    ['\t=1', `"'\t=1"`],
    ['＝1+1', `"'＝1+1"`],
    ['1-2', '1-2'],
    [null, ''],
    [17, '17']
  ] as const)
    it(`is written so: ${JSON.stringify(value)}`, () => {
      assert.equal(csvField(value), field)
    })
})
