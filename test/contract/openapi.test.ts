import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { z } from 'zod'

interface Media {
  schema?: { $ref?: string; type?: string; examples?: unknown[] }
  example?: unknown
  examples?: Record<string, { $ref: string }>
}
interface Operation {
  operationId?: string
  summary?: string
  tags?: string[]
  security?: unknown[]
  parameters?: { name: string; in: string; required?: boolean }[]
  requestBody?: { content: Record<string, Media> }
  responses: Record<string, { description?: string; content?: Record<string, Media> }>
}

const file = path.join(import.meta.dirname, '../../openapi.json')
const text = readFileSync(file, 'utf8')
const api = JSON.parse(text) as {
  tags: { name: string }[]
  paths: Record<string, Record<string, Operation>>
  components: Record<string, Record<string, object>>
}
const operations = Object.entries(api.paths).flatMap(([address, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    name: `${method} ${address}`,
    address,
    ...operation
  }))
)
/** The reasons that an operation lists, under all of its statuses. */
const reasonsOf = ({ responses }: Operation): string[] =>
  Object.values(responses).flatMap(({ content = {} }) =>
    Object.keys(content['application/problem+json']?.examples ?? {})
  )
const references = [...text.matchAll(/"\$ref": ?"([^"]+)"/g)].map(([, target = '']) => target)

const find = (reference: string): unknown =>
  reference
    .split('/')
    .slice(1)
    .reduce<unknown>((within, key) => (within as Record<string, unknown> | undefined)?.[key], api)

/** A rule holds for every operation, or the test names those that break it. */
function holds(rule: (operation: (typeof operations)[number]) => boolean): void {
  const wrong = operations.filter((operation) => !rule(operation)).map(({ name }) => name)
  assert.deepEqual(wrong, [])
}

describe('the OpenAPI document', () => {
  it('names every operation once, in snake_case, with a summary and a tag that is declared', () => {
    const ids = operations.map(({ operationId }) => operationId)
    assert.deepEqual(
      ids.filter((id, index) => ids.indexOf(id) !== index),
      []
    )
    const tags = api.tags.map(({ name }) => name)
    holds(({ operationId }) => /^[a-z]+(_[a-z]+)*$/.test(operationId ?? ''))
    holds(({ summary = '' }) => summary !== '' && summary.length <= 120 && !summary.endsWith('.'))
    holds((operation) => operation.tags?.length === 1 && tags.includes(operation.tags[0] ?? ''))
  })

  it('has no reference that leads nowhere, and no component that nothing refers to', () => {
    assert.deepEqual(
      references.filter((reference) => find(reference) === undefined),
      []
    )
    // Some refusals come before a route is known: broken HTTP, headers that are too large.
    const ofNoRoute =
      /^#\/components\/examples\/(malformed-request|request-timeout|expectation-failed|headers-too-large|internal-error)$/
    const components = ['schemas', 'examples'].flatMap((kind) =>
      Object.keys(api.components[kind] ?? {}).map((name) => `#/components/${kind}/${name}`)
    )
    assert.deepEqual(
      components.filter((name) => !references.includes(name) && !ofNoRoute.test(name)),
      []
    )
  })

  it('declares each parameter of an address, and none that the address lacks', () => {
    for (const { name, address, parameters = [] } of operations) {
      const inPath = parameters.filter((parameter) => parameter.in === 'path')
      const wanted = [...address.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter)
      assert.deepEqual(inPath.map((parameter) => parameter.name).toSorted(), wanted.toSorted(), name)
      assert.ok(
        inPath.every(({ required }) => required === true),
        name
      )
    }
  })

  it('says of each operation who may call it, and refuses those who may not', () => {
    holds(({ security }) => security !== undefined)
    holds(({ security, responses }) => security?.length === 0 || ('401' in responses && '403' in responses))
  })

  it('answers every refusal with the one problem body, and shows each reason', () => {
    for (const { name, responses } of operations)
      for (const [status, { description, content = {} }] of Object.entries(responses)) {
        assert.ok(description, `${name} ${status} says what it means`)
        // Readiness has its own body, which says what is missing.
        if (Number(status) < 400 || name === 'get /health/ready') continue
        assert.deepEqual(Object.keys(content), ['application/problem+json'], `${name} ${status}`)
        const { schema, examples = {} } = content['application/problem+json'] ?? {}
        assert.equal(schema?.$ref, '#/components/schemas/Problem', `${name} ${status}`)
        const statuses = Object.values(examples).map(
          ({ $ref }) => (find($ref) as { value: { status: number } }).value.status
        )
        assert.deepEqual([...new Set(statuses)], [Number(status)], `${name} ${status} has examples`)
        assert.equal(description, Object.keys(examples).join(', '), `${name} ${status} names its reasons`)
      }
  })

  it('lists what can be wrong with a body where there is a body, and only there', () => {
    const ofBodies = ['payload-too-large', 'unsupported-media-type', 'invalid-request']
    holds((operation) => operation.requestBody === undefined || listsAll(operation, ofBodies))
    holds(
      (operation) =>
        operation.requestBody !== undefined || !listsAny(operation, [...ofBodies, 'malformed-json'])
    )
  })

  it('lists a reason only where it can be given', () => {
    for (const [reason, ids] of Object.entries(reasonsOfFew))
      assert.deepEqual(
        operations.filter((operation) => listsAny(operation, [reason])).map(({ operationId }) => operationId),
        ids,
        reason
      )
  })

  it('shows for every success an answer that its schema describes', () => {
    for (const { name, responses } of operations)
      for (const [status, { content = {} }] of Object.entries(responses))
        for (const [type, { schema, example }] of Object.entries(content)) {
          if (type === 'application/problem+json') continue
          assert.notEqual(example, undefined, `${name} ${status} ${type} has no example`)
          const reader = z.fromJSONSchema({ ...(inline(schema) as object) })
          assert.deepEqual(reader.safeParse(example).error, undefined, `${name} ${status} ${type}`)
        }
  })

  it('has for every body an example that it would take', () => {
    for (const { name, requestBody } of operations) {
      const { schema, example } = requestBody?.content['application/json'] ?? {}
      if (schema === undefined) continue
      const whole = (schema.$ref === undefined ? schema : find(schema.$ref)) as typeof schema
      const examples = whole.examples ?? [example]
      assert.ok(examples[0], `${name} has no example`)
      const reader = z.fromJSONSchema({ ...(inline(whole) as object) })
      for (const example of examples) assert.deepEqual(reader.safeParse(example).error, undefined, name)
    }
  })

  it('has names in snake_case wherever they cross the wire', () => {
    const properties = [...text.matchAll(/"properties": ?\{/g)].length
    const names = operations.flatMap(({ parameters = [] }) =>
      parameters.filter((parameter) => parameter.in !== 'header').map((parameter) => parameter.name)
    )
    assert.ok(properties > 50)
    assert.deepEqual(
      [...names, ...propertyNames(api)].filter((name) => !/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name)),
      []
    )
  })
})

/** Reasons of a few operations. The others are what any call can be refused for, or follow from what it looks for. */
const submitting = ['submit_bulk', 'retry_failed_transfers']
const reasonsOfFew: Record<string, string[]> = {
  'unknown-account': [
    'submit_bulk',
    'read_account',
    'list_transactions',
    'limit_account',
    'close_account',
    'deposit'
  ],
  'not-cancellable': ['cancel_bulk'],
  'nothing-to-retry': ['retry_failed_transfers'],
  'too-many-endpoints': ['create_webhook_endpoint'],
  'endpoint-disabled': ['test_webhook_endpoint', 'recover_webhook_endpoint', 'redeliver_webhook'],
  conflict: ['release_bulk', 'open_account', 'close_account', 'deposit', 'place_hold', 'release_hold'],
  'too-many-transfers': ['submit_bulk'],
  'invalid-request-id': submitting,
  'already-processed': submitting,
  'account-not-active': submitting,
  'limit-exceeded': submitting,
  'insufficient-account-balance': submitting,
  'empty-bulk': ['submit_bulk'],
  'invalid-amount': ['submit_bulk'],
  'negative-or-null-amounts': ['submit_bulk'],
  'currency-not-supported': ['submit_bulk'],
  'invalid-counterparty': ['submit_bulk'],
  'same-account-transfer': ['submit_bulk'],
  'duplicate-client-transfer-id': ['submit_bulk'],
  'duplicate-transfer': ['submit_bulk'],
  'execution-date-not-supported': ['submit_bulk'],
  'control-sum-mismatch': ['submit_bulk']
}

function listsAll(operation: Operation, reasons: string[]): boolean {
  return reasons.every((reason) => reasonsOf(operation).includes(reason))
}

function listsAny(operation: Operation, reasons: string[]): boolean {
  return reasons.some((reason) => reasonsOf(operation).includes(reason))
}

/** A schema with what it refers to in place; without patterns, which the reader takes without their flag u. */
function inline(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(inline)
  if (typeof schema !== 'object' || schema === null) return schema
  if ('$ref' in schema) return inline(find(String(schema.$ref)))
  const entries = Object.entries(schema).filter(
    ([key, value]) => key !== 'pattern' || typeof value !== 'string'
  )
  return Object.fromEntries(entries.map(([key, value]) => [key, inline(value)]))
}

function propertyNames(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return []
  const own = 'properties' in node ? Object.keys(node.properties as object) : []
  return [...own, ...Object.values(node).flatMap(propertyNames)]
}
