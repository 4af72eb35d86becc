import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import path from 'node:path'
import { before, describe, it } from 'node:test'
import pg from 'pg'
import { statements } from '../../src/database/statement.ts'
import { createTestDatabase } from '../support/database.ts'

const source = path.join(import.meta.dirname, '../../src')
const database = await createTestDatabase()

/** Every statement's parameters and rows as the server describes them, against the migrated schema. */
describe('SQL statements', () => {
  before(async () => {
    // main.ts runs the program; every other file only declares things.
    for (const file of globSync('**/*.ts', { cwd: source }))
      if (file !== 'main.ts') await import(path.join(source, file))
  })

  it('have unique names', () => {
    const names = statements.map(({ definition }) => definition.name)
    assert.deepEqual(names, [...new Set(names)])
    assert.ok(names.length > 15)
  })

  it('are described by the server as they are declared', async () => {
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    const { rows: types } = await client.query<{ oid: number; name: string }>(
      'select oid::int4, format_type(oid, null) as name from pg_type'
    )
    const nameOf = new Map(types.map(({ oid, name }) => [oid, canonical[name] ?? name]))
    const wrong: string[] = []
    for (const { definition } of statements) {
      const { parameters, columns } = await describeStatement(client, definition)
      const declared = Object.values(definition.parameters).map((type) => type.replace('?', ''))
      const found = parameters.map((oid) => nameOf.get(oid))
      if (declared.join() !== found.join())
        wrong.push(`${definition.name} takes ${found.join()}, declares ${declared.join()}`)
      const declaredRow = Object.entries(definition.row).map(
        ([name, type]) => `${name} ${type.replace('?', '')}`
      )
      const foundRow = columns.map(({ name, oid }) => `${name} ${nameOf.get(oid) ?? oid}`)
      if (declaredRow.toSorted().join() !== foundRow.toSorted().join())
        wrong.push(`${definition.name} gives ${foundRow.join()}, declares ${declaredRow.join()}`)
    }
    await client.end()
    assert.deepEqual(wrong, [])
  })
})

const canonical: Record<string, string> = {
  smallint: 'int2',
  integer: 'int4',
  bigint: 'int8',
  boolean: 'bool',
  'double precision': 'float8',
  'timestamp with time zone': 'timestamptz',
  'smallint[]': 'int2[]',
  'integer[]': 'int4[]',
  'bigint[]': 'int8[]'
}

interface Described {
  parameters: number[]
  columns: { name: string; oid: number }[]
}

/** Sends Parse and Describe, and executes nothing. */
function describeStatement(
  client: pg.Client,
  definition: { name: string; text: string }
): Promise<Described> {
  const { connection } = client as unknown as { connection: DescribingConnection }
  const described: Described = { parameters: [], columns: [] }
  return new Promise((resolve, reject) => {
    const query = {
      submit(): null {
        connection.parse({ name: definition.name, text: definition.text, types: [] })
        connection.once('parameterDescription', ({ dataTypeIDs }) => (described.parameters = dataTypeIDs))
        connection.describe({ type: 'S', name: definition.name })
        connection.sync()
        return null
      },
      handleRowDescription({ fields }: { fields: { name: string; dataTypeID: number }[] }) {
        described.columns = fields.map(({ name, dataTypeID }) => ({ name, oid: dataTypeID }))
      },
      handleError: (error: Error) =>
        reject(new Error(`${definition.name}: ${error.message}`, { cause: error })),
      handleReadyForQuery: () => resolve(described)
    }
    client.query(query as unknown as pg.Submittable)
  })
}

interface DescribingConnection {
  parse(message: { name: string; text: string; types: number[] }): void
  describe(message: { type: 'S'; name: string }): void
  sync(): void
  once(event: 'parameterDescription', listener: (message: { dataTypeIDs: number[] }) => void): void
}
