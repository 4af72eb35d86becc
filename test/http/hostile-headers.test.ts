import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { describe, it } from 'node:test'
import { createLog } from '../../src/telemetry/log.ts'
import { listen } from '../support/api.ts'
import { aBulk, anOrganization, payer } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'
import { aKey, bearer } from '../support/keys.ts'
import { openRaw, readAll } from '../support/raw.ts'

const database = await createTestDatabase()
const organizationId = await anOrganization(database.db)

/** An API whose log is kept, line by line. */
async function anApi(demo = true) {
  const lines: string[] = []
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      lines.push(...chunk.toString().split('\n').filter(Boolean))
      done()
    }
  })
  const log = createLog('trace', stream)
  return { ...(await listen({ ...createTestContext(database), log }, { organizationId, demo })), lines }
}

describe('a header that is made to say more than one thing', () => {
  for (const [name, value] of [
    ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "level": 60, "x": "'],
    ['traceparent', '00-'.repeat(1000)],
    ['if-none-match', '"1"; x-injected: yes'],
    ['authorization', 'Bearer bh_test_%0d%0ax-injected:%20yes'],
    ['origin', 'https://evil.example.com'],
    ['x-forwarded-host', 'evil.example.com'],
    ['x-request-id', 'evil"'],
    ['user-agent', '{"level":60}']
  ] as const)
    it(`comes back in no answer and in no line of the log: ${name}: ${value.slice(0, 40)}`, async () => {
      const { ask, lines } = await anApi()
      const answer = await ask('/accounts', { headers: { [name]: value } })
      assert.ok(answer.status < 500)
      const told = JSON.stringify([[...answer.headers], answer.body, lines])
      assert.doesNotMatch(told, /injected|evil|level\\*": ?60|00-00-/)
      for (const line of lines) assert.equal(typeof JSON.parse(line), 'object')
    })

  it('does not reach the headers of an answer through the address', async () => {
    const { ask, url } = await anApi()
    for (const path of [
      '/transfers/%0d%0ax-injected:%20yes',
      '/nope?%0d%0ax-injected:%20yes',
      '/accounts/%0aset-cookie:a'
    ])
      assert.equal((await ask(path)).headers.get('x-injected'), null)
    const socket = await openRaw(url)
    socket.end('GET /a\r\nx-injected: yes HTTP/1.1\r\nhost: localhost\r\n\r\n')
    assert.match(await readAll(socket), /^HTTP\/1.1 400 /)
  })
})

describe('the log', () => {
  it('has one line for a request, without a name, an IBAN, a key or what is in the address', async () => {
    const { post, ask, lines } = await anApi(false)
    const key = await aKey(database, organizationId)
    const bulk = aBulk()
    await post('/transfers/bulk?dry_run=false', bulk, bearer(key))
    await post('/transfers/bulk', { ...bulk, label: 'x\n{"level":60}' }, bearer(key))
    await ask(`/accounts/${payer.organization_iban}?x=John%20Doe`, { headers: bearer(key) })
    await ask(`/nope/${payer.organization_iban}`, { headers: bearer(`${key}x`) })
    assert.equal(lines.filter((line) => line.includes('"msg":"request"')).length, 4)
    assert.doesNotMatch(lines.join('\n'), /John|Doe|DE89|FR10|bh_test|Salary|level":60/)
  })
})
