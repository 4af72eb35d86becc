import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { reasons } from '../../src/domain/problem.ts'
import { generateFiles } from '../../scripts/generated-files.ts'

const root = path.join(import.meta.dirname, '../..')
const generated = await generateFiles()

describe('files that are made from the code', () => {
  for (const [file, text] of Object.entries(generated))
    it(`are up to date: ${file} (else: npm run generate)`, () => {
      assert.equal(readFileSync(path.join(root, file), 'utf8'), text)
    })
})

describe('the OpenAPI document', () => {
  const document = JSON.parse(generated['openapi.json'] ?? '') as {
    openapi: string
    paths: Record<
      string,
      Record<
        string,
        {
          summary?: string
          tags?: string[]
          responses: Record<string, { content?: Record<string, unknown> }>
        }
      >
    >
    components: { schemas: Record<string, unknown> }
  }

  it('is of OpenAPI 3.1 and names its schemas', () => {
    assert.match(document.openapi, /^3\.1/)
    for (const name of [
      'BulkRequest',
      'CreditTransfer',
      'BulkStatus',
      'Bulk',
      'Transfer',
      'Account',
      'Transaction',
      'Problem'
    ])
      assert.ok(name in document.components.schemas, name)
  })

  it('has a summary, a tag and every possible status for each route', () => {
    assert.ok(Object.keys(document.paths).length > 15)
    const statuses = new Set<string>(Object.values(reasons).map(({ status }) => String(status)))
    for (const operation of Object.values(document.paths).flatMap((path) => Object.values(path))) {
      assert.ok(operation.summary && operation.tags?.length === 1)
      for (const status of Object.keys(operation.responses))
        assert.ok(/^[23]/.test(status) || statuses.has(status), status)
    }
  })
})
