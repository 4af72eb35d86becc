import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { problemSchema } from '../../src/http/problem-answer.ts'
import { bulkRequest } from '../../src/transfers/bulk-request.ts'
import { readRequest } from '../../src/transfers/read-request.ts'
import { checkRequestId, validateBulk } from '../../src/transfers/validate-bulk.ts'
import { listen, type Answer } from '../support/api.ts'
import { aBulk, anOrganization, aTransfer } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'

const database = await createTestDatabase()
const api = await listen(createTestContext(database), { organizationId: await anOrganization(database.db) })
const json = { 'content-type': 'application/json' }

function assertRefused(answer: Answer, reason: string): void {
  assert.equal(answer.body?.error?.reason, reason, JSON.stringify(answer.body).slice(0, 300))
  problemSchema.strict().parse(answer.body)
}

describe('a body that is bigger inside', () => {
  const bomb = Buffer.alloc(50 * 1024 * 1024, '[')
  for (const [encoding, body] of [
    ['gzip', gzipSync(bomb)],
    ['deflate', deflateSync(bomb)],
    ['br', brotliCompressSync(bomb)],
    ['gzip, gzip', gzipSync(gzipSync(bomb))]
  ] as const)
    it(`is refused and never unpacked: ${encoding}`, async () => {
      const headers = { ...json, 'content-encoding': encoding }
      assertRefused(
        await api.ask('/transfers/bulk', { method: 'POST', body, headers }),
        'unsupported-media-type'
      )
    })
})

describe('a body that is deep', () => {
  const deep = (depth: number, open: string, close: string) => open.repeat(depth) + close.repeat(depth)
  for (const place of ['metadata', 'label', 'credit_transfers'])
    for (const [what, text] of [
      ['1000 lists', deep(1000, '[', ']')],
      ['1000 objects', `${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}`],
      ['100 000 lists', deep(100_000, '[', ']')]
    ] as const)
      it(`is refused: ${what} in ${place}`, async () => {
        const body = JSON.stringify({ ...aBulk(), [place]: 'HERE' }).replace('"HERE"', text)
        assertRefused(await api.post('/transfers/bulk', body), 'invalid-request')
      })
})

describe('names that mean something to JavaScript', () => {
  for (const body of [
    '{"__proto__": {"x": 1}}',
    '{"constructor": {"prototype": {"x": 1}}}',
    '{"\\u005f_proto__": {"x": 1}}',
    '{"credit_transfers": [{"__proto__": {"amount": "1.00"}}]}',
    '{"metadata": {"constructor": {"prototype": {"x": 1}}}}'
  ])
    it(`are refused before they mean anything: ${body}`, async () => {
      assertRefused(await api.post('/transfers/bulk', body), 'malformed-json')
      assert.equal(({} as Record<string, unknown>)['x'], undefined)
    })

  for (const key of ['toString', 'hasOwnProperty', 'valueOf', 'length'])
    it(`are unknown keys like others: ${key}`, async () => {
      const answer = await api.post('/transfers/bulk', { ...aBulk(), [key]: 1 })
      assertRefused(answer, 'invalid-request')
      assert.deepEqual(
        answer.body.errors.map((error: { pointer: string; code: string }) => [error.pointer, error.code]),
        [[`/${key}`, 'unknown-key']]
      )
    })
})

describe('text that is made to keep a pattern busy', () => {
  const long = 100_000
  const texts = {
    digits: '1'.repeat(long),
    'digits and a letter': `${'1'.repeat(long)}x`,
    points: '1.'.repeat(long / 2),
    blanks: ' '.repeat(long),
    'blanks and a letter': `${' '.repeat(long)}x`,
    letters: 'A'.repeat(long),
    'an IBAN without end': `DE89${'3704 '.repeat(long / 5)}`,
    hyphens: '0-'.repeat(long / 2),
    dates: '2024-01-'.repeat(long / 8),
    'half of a pair': '\ud800'.repeat(long),
    'control characters': '\u0001'.repeat(long),
    slashes: '/'.repeat(long)
  }
  const transferKeys = Object.keys({ ...aTransfer(), client_transfer_id: '', end_to_end_id: '' })
  const bulkKeys = Object.keys(bulkRequest.shape).filter((key) => key !== 'credit_transfers')

  // A pattern that backtracks would need longer than the world for these; what is linear needs a moment for all of them.
  for (const [what, text] of Object.entries(texts))
    it(`is refused in every field: ${what}`, () => {
      for (const key of bulkKeys) assert.equal(judge({ ...aBulk(), [key]: text }), 'refused', key)
      for (const key of transferKeys) {
        const credit_transfers = [{ ...aTransfer(), [key]: text }]
        assert.equal(judge({ ...aBulk(), credit_transfers }), 'refused', key)
      }
      assert.equal(judge({ ...aBulk(), metadata: { [text]: text } }), 'refused')
    })

  it('is refused in the address and the parameters', async () => {
    for (const path of [
      `/transfers/${'0-'.repeat(4000)}`,
      `/transfers/bulk/${'0-'.repeat(240)}/status`,
      `/accounts/${'DE '.repeat(150)}`,
      `/transfers/bulk/${aBulk().request_id}/transfers?cursor=${'A'.repeat(6000)}`
    ]) {
      const { status } = await api.ask(path)
      assert.ok(status >= 400 && status < 500, `${status} for ${path.slice(0, 40)}`)
    }
  })
})

function judge(body: unknown): string {
  const read = readRequest(body)
  if (read.outcome === 'refused' || checkRequestId(read.request.request_id) !== null) return 'refused'
  return validateBulk(read.request, read.transferCount, { today: '2026-01-01' }).outcome
}

describe('a request_id', () => {
  const id = aBulk().request_id
  for (const [what, request_id] of [
    ['of 255 characters', 'a'.repeat(255)],
    ['of 100 000 characters', 'a'.repeat(100_000)],
    ['in braces', `{${id}}`],
    ['as a URN', `urn:uuid:${id}`],
    ['without hyphens', id.replaceAll('-', '')],
    ['with digits that only look like digits', id.replace(/\d/, '１')],
    ['with letters that only look like letters', `а${id.slice(1)}`],
    ['with a blank behind', `${id} `],
    ['with a line end behind', `${id}\n`],
    ['with NUL', `${id}\u0000`]
  ] as const)
    it(`is refused, and not repeated at length: ${what}`, async () => {
      const answer = await api.post('/transfers/bulk', { ...aBulk(), request_id })
      assert.match(answer.body.error.reason, /^invalid-request(-id)?$/)
      assert.equal(answer.status, 422)
      assert.ok(JSON.stringify(answer.body).length < 2_000)
    })
})
