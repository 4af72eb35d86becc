import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it, mock } from 'node:test'
import pg from 'pg'
import { transferId } from '../../src/domain/reference.ts'
import { submitBulk } from '../../src/transfers/submit-bulk.ts'
import { listen } from '../support/api.ts'
import { aBulk, anOrganization } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { operationsOf, type ApiDocument } from '../fuzz/document.ts'
import { createTestDatabase } from '../support/database.ts'
import { aKey, bearer } from '../support/keys.ts'

const database = await createTestDatabase()
const context = createTestContext(database, { MODE: 'test' })
const { ask } = await listen(context, { demo: false })
const headers = {
  ...bearer(await aKey(database, await anOrganization(database.db))),
  'content-type': 'application/json'
}

const document = JSON.parse(
  readFileSync(path.join(import.meta.dirname, '../../openapi.json'), 'utf8')
) as ApiDocument
const operations = operationsOf(document).filter(({ path }) => /\{(bulk|transfer)_id\}/.test(path))

/** Another tenant's bulk and its transfer, or ids of the same form that nobody has. */
async function others() {
  const organizationId = await anOrganization(database.db)
  const bulk = aBulk()
  assert.equal((await submitBulk(context, organizationId, bulk)).outcome, 'accepted')
  const [row] = await database.sql<{ reference: string }>(
    `select bulk_reference as reference from bulk where request_id = $1`,
    [bulk.request_id]
  )
  return { bulk_id: bulk.request_id, transfer_id: `${row?.reference}-0` }
}
const nobodys = {
  bulk_id: randomUUID(),
  transfer_id: transferId('01JDBZZZZZZZZZZZZZZZZZZZZZ', 0)
}

/** Every statement that PostgreSQL is sent while something is done, by its name. */
async function statementsOf<T>(work: () => Promise<T>): Promise<{ done: T; names: string[] }> {
  const spy = mock.method(pg.Client.prototype, 'query')
  try {
    const done = await work()
    const sent = spy.mock.calls.map((call) => call.arguments[0] as string | { name: string })
    return { done, names: sent.map((query) => (typeof query === 'string' ? query : query.name)) }
  } finally {
    spy.mock.restore()
  }
}

describe('a bulk of another organization is answered like one that does not exist, by the same statements', () => {
  for (const { path, method, operation } of operations)
    it(`${method} ${path}`, async () => {
      const body =
        operation.requestBody === undefined ? {} : { body: JSON.stringify({ request_id: randomUUID() }) }
      const call = async (ids: { bulk_id: string; transfer_id: string }) => {
        const address = path.replace('{bulk_id}', ids.bulk_id).replace('{transfer_id}', ids.transfer_id)
        const { done, names } = await statementsOf(() =>
          ask(address, { method: method.toUpperCase(), headers, ...body })
        )
        assert.equal(done.status, 404)
        const { trace_id, instance, ...said } = done.body
        assert.ok(trace_id !== '' && instance === address)
        return { said, names, headers: [...done.headers.keys()].toSorted() }
      }
      await call(nobodys)
      const [absent, hidden] = [await call(nobodys), await call(await others())]
      assert.ok(absent.names.length >= 2, absent.names.join())
      assert.deepEqual(hidden, absent)
    })

  it('is true of every operation that names a bulk or a transfer', () => {
    assert.ok(operations.length >= 8, `${operations.length}`)
  })
})
