import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, describe, it } from 'node:test'
import { createHttpPayeeCheck } from '../../src/banking/http-payee-check.ts'
import { notPossible } from '../../src/banking/payee-check.ts'
import { startSandboxBank } from '../../src/sandbox-bank/start-sandbox-bank.ts'
import { aPayee, describePayeeCheck } from './payee-check-conformance.ts'

describePayeeCheck('the HTTP payee check on a sandbox bank', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'bulkhead-payees-'))
  const sandbox = await startSandboxBank({ port: 0, logFile: path.join(folder, 'bank.jsonl') })
  const check = createHttpPayeeCheck({ url: sandbox.url, connections: 20 })
  after(async () => {
    await check.close()
    await sandbox.stop()
    await rm(folder, { recursive: true })
  })
  return check
})

const payee = aPayee()
const { iban } = payee
const right = { iban, result: 'CLOSE_MATCH', matched_name: 'Jane Doe' }

/** A payee check on a service that answers every call in one way. */
async function arrange(handler: RequestListener) {
  const server = createServer(handler)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const check = createHttpPayeeCheck({ url, connections: 2 })
  after(async () => {
    await check.close()
    server.closeAllConnections()
    server.close()
  })
  return { check, server }
}

const says =
  (status: number, body: unknown): RequestListener =>
  (_, response) =>
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body))

const closeMatch = (suggested_name: string | null) => ({ result: 'close-match', suggested_name })
const table: [what: string, handler: RequestListener, expected: object][] = [
  ['a close match with its name', says(200, { results: [right] }), closeMatch('Jane Doe')],
  [
    'a close match without a name',
    says(200, { results: [{ iban, result: 'CLOSE_MATCH' }] }),
    closeMatch(null)
  ],
  ['a name of blanks', says(200, { results: [{ ...right, matched_name: ' ' }] }), closeMatch(null)],
  [
    'a name that no database stores',
    says(200, { results: [{ ...right, matched_name: `a\u0000\ud800${'x'.repeat(900)}` }] }),
    closeMatch(`a \ufffd${'x'.repeat(137)}`)
  ],
  [
    'a match with a name',
    says(200, { results: [{ ...right, result: 'MATCH' }] }),
    { result: 'match', suggested_name: null }
  ],
  ['another payee', says(200, { results: [{ ...right, iban: 'FR7630006000011234567890189' }] }), notPossible],
  ['a result that nobody knows', says(200, { results: [{ ...right, result: 'MAYBE' }] }), notPossible],
  ['a result in small letters', says(200, { results: [{ ...right, result: 'match' }] }), notPossible],
  [
    'a result that every object has',
    says(200, { results: [{ ...right, result: 'constructor' }] }),
    notPossible
  ],
  ['a name that is none', says(200, { results: [{ ...right, matched_name: 7 }] }), notPossible],
  ['too many results', says(200, { results: [right, right] }), notPossible],
  ['no results', says(200, {}), notPossible],
  ['a list', says(200, [right]), notPossible],
  ['null', says(200, 'null'), notPossible],
  ['an empty body', says(200, ''), notPossible],
  ['half of the JSON', says(200, JSON.stringify({ results: [right] }).slice(0, -4)), notPossible],
  ['201', says(201, { results: [right] }), notPossible],
  ['401', says(401, { results: [right] }), notPossible],
  ['500', says(500, { results: [right] }), notPossible],
  ['silence', () => undefined, notPossible],
  ['a body that never ends', (_, response) => response.writeHead(200).write('{'), notPossible]
]

describe('the HTTP payee check', () => {
  for (const [what, handler, expected] of table)
    it(`makes of ${what}: ${JSON.stringify(expected).slice(0, 80)}`, async () => {
      const { check } = await arrange(handler)
      assert.deepEqual(await check.verify([payee], 300), [expected])
    })

  it('tells that nothing is possible when nobody is there', async () => {
    const { check, server } = await arrange(says(200, ''))
    server.close()
    await once(server, 'close')
    assert.deepEqual(await check.verify([payee, payee], 5_000), [notPossible, notPossible])
  })

  it('gives up what is under way when it is closed', async () => {
    const { check, server } = await arrange(() => undefined)
    const asked = once(server, 'request')
    const verified = check.verify([payee], 60_000)
    await asked
    await check.close()
    assert.deepEqual(await verified, [notPossible])
  })
})
