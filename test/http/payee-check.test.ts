import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, describe, it } from 'node:test'
import { pino } from 'pino'
import type { Scope } from '../../src/access/scope.ts'
import { createHttpPayeeCheck } from '../../src/banking/http-payee-check.ts'
import { startSandboxBank } from '../../src/sandbox-bank/start-sandbox-bank.ts'
import { payeeOf } from '../banking/payee-check-conformance.ts'
import { listen } from '../support/api.ts'
import { aBulk, anOrganization, aTransfer } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'
import { aKey, bearer } from '../support/keys.ts'

const folder = await mkdtemp(path.join(tmpdir(), 'bulkhead-payees-'))
const sandbox = await startSandboxBank({ port: 0, logFile: path.join(folder, 'bank.jsonl') })
const payeeCheck = createHttpPayeeCheck({ url: sandbox.url, connections: 20 })
after(async () => {
  await payeeCheck.close()
  await sandbox.stop()
  await rm(folder, { recursive: true })
})

const database = await createTestDatabase()
const lines: string[] = []
const context = {
  ...createTestContext(database, { MODE: 'test', PAYEE_CHECK_TIMEOUT_MS: 2_000 }),
  payeeCheck,
  log: pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) })
}
const { ask, post } = await listen(context, { demo: false })

const keyOf = async (organization_id: number | null, scopes: Scope[]) =>
  bearer(await aKey(database, organization_id, { scopes }))

const operator = await keyOf(null, ['operator'])

/** An organization with a policy that an operator set, and a key of its own. */
async function arrange(policy: 'off' | 'warn' | 'hold') {
  const id = await anOrganization(context.db)
  const set = await ask(`/admin/organizations/${id}/payee-check`, {
    method: 'PUT',
    headers: { ...operator, 'content-type': 'application/json' },
    body: JSON.stringify({ payee_check: policy })
  })
  assert.deepEqual([set.status, set.body.payee_check], [200, policy])
  const headers = await keyOf(id, ['read', 'submit', 'cancel'])
  return { id, headers, submit: (body: unknown) => post('/transfers/bulk', body, headers) }
}

/** A bulk to the payees of these scenarios. */
const aBulkTo = (...scenarios: string[]) =>
  aBulk({
    credit_transfers: scenarios.map((scenario, nr) =>
      aTransfer({
        counterparty_iban: payeeOf(scenario).iban,
        counterparty_name: 'Jane Doe',
        amount: `${nr + 1}`
      })
    )
  })

describe('POST /transfers/bulk with a payee check', () => {
  it('warns of payees who do not match, and tells of each transfer what was found', async () => {
    const { headers, submit } = await arrange('warn')
    const bulk = aBulkTo('payee-match', 'payee-close-match', 'payee-no-match', 'payee-told-too-much')
    const { status, body } = await submit(bulk)
    assert.deepEqual([status, body.held], [201, false])
    assert.deepEqual(
      body.warnings.map(({ code }: { code: string }) => code),
      ['payee-close-match', 'payee-no-match', 'payee-no-match']
    )
    const list = await ask(`/transfers/bulk/${bulk.request_id}/transfers`, { headers })
    assert.deepEqual(
      list.body.data.map(({ payee_check }: { payee_check: object }) => payee_check),
      [
        { result: 'match', suggested_name: null },
        { result: 'close-match', suggested_name: 'Jane Doe-Smith' },
        { result: 'no-match', suggested_name: null },
        { result: 'no-match', suggested_name: null }
      ]
    )
    const one = await ask(`/transfers/${list.body.data[1].transfer_id}`, { headers })
    assert.deepEqual(one.body.payee_check, { result: 'close-match', suggested_name: 'Jane Doe-Smith' })
  })

  for (const failure of ['slow', 'down', '503', 'nonsense', 'huge', 'lost'])
    it(`accepts in time and says that nothing could be checked: ${failure}`, async () => {
      const { submit } = await arrange('warn')
      const start = performance.now()
      const { status, body } = await submit(aBulkTo('payee-match', `payee-check-${failure}`))
      assert.ok(performance.now() - start < 12_000)
      assert.deepEqual([status, body.held, body.warnings_total], [201, false, 1])
      assert.equal(body.warnings[0].code, 'payees-not-checked')
    })

  it('holds a bulk until the payer confirms its payees', async () => {
    const { headers, submit } = await arrange('hold')
    const bulk = aBulkTo('payee-match', 'payee-no-match')
    const path = `/transfers/bulk/${bulk.request_id}`
    assert.equal((await submit(bulk)).body.held, true)
    const before = await ask(`${path}/status`, { headers })
    assert.deepEqual([before.body.held, before.body.needs_attention], [true, true])
    const other = await arrange('hold')
    assert.equal((await post(`${path}/release`, '', other.headers)).status, 404)
    const released = await post(`${path}/release`, '', headers)
    assert.deepEqual([released.status, released.body.released_now, released.body.held], [200, 2, false])
    const etag = before.headers.get('etag') ?? ''
    const polled = await ask(`${path}/status`, { headers: { ...headers, 'if-none-match': etag } })
    assert.equal(polled.status, 200)
    const { payee_check } = (await ask(path, { headers })).body
    assert.match(payee_check.released_by, /^key:/)
    assert.deepEqual([payee_check.match, payee_check.no_match], [1, 1])
  })

  it('releases only what is held, for who may submit', async () => {
    const { id, headers, submit } = await arrange('warn')
    const bulk = aBulkTo('payee-no-match', 'payee-match')
    await submit(bulk)
    const path = `/transfers/bulk/${bulk.request_id}/release`
    const refused = await post(path, '', headers)
    assert.deepEqual([refused.status, refused.body.error.reason], [409, 'conflict'])
    assert.equal((await post(path, '', await keyOf(id, ['read', 'cancel']))).status, 403)
    assert.equal((await post('/transfers/bulk/nothing/release', '', headers)).status, 404)
  })

  it('refuses to leave out the check of a transfer that is alone', async () => {
    const { submit } = await arrange('warn')
    const { status, body } = await submit({ ...aBulkTo('payee-match'), payee_check: 'off' })
    assert.deepEqual(
      [status, body.error.reason, body.errors[0].code],
      [422, 'invalid-request', 'single-transfer']
    )
    const wrong = await submit({ ...aBulkTo('payee-match', 'payee-match'), payee_check: 'on' })
    assert.deepEqual([wrong.status, wrong.body.errors[0].code], [422, 'not-allowed'])
  })

  it('writes no name and no IBAN to the log', () => {
    assert.ok(lines.some((line) => line.includes('no payee of a bulk could be checked')))
    assert.doesNotMatch(lines.join(''), /Jane|Smith|DE\d{20}/)
  })
})
