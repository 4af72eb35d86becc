import { randomUUID } from 'node:crypto'
import type { Random } from '../support/random.ts'

/** A JSON schema, as far as our own document uses it. */
export interface Schema {
  $ref?: string
  type?: string | string[]
  enum?: unknown[]
  const?: unknown
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  examples?: unknown[]
  format?: string
}

/** Texts that have broken parsers, databases, logs and pages. */
export const hostileTexts = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\ud800',
  '\u202Eevil',
  '\uFEFF',
  '\u200B',
  '\uFFFF',
  "'; drop table bulk; --",
  '{{7*7}}',
  '=cmd|calc',
  '../../etc/passwd',
  '%00',
  '%2e%2e%2f',
  '\r\nset-cookie: a=b',
  '<script>alert(1)</script>',
  '9'.repeat(400),
  'é'.repeat(70),
  '🦊'.repeat(36),
  'NaN',
  '-0',
  '1e3',
  '0x10',
  '１００',
  '00.10',
  '99999999999999999999.99',
  'null',
  '__proto__',
  'constructor',
  '1970-01-01',
  '2026-02-30',
  '00000000-0000-0000-0000-000000000000'
]

const hostileValues: unknown[] = [
  null,
  true,
  0,
  -1,
  1e21,
  2 ** 53 + 1,
  0.1,
  [],
  {},
  [[[[]]]],
  { toString: 'x' }
]

/** Values that are mostly right by a schema, so that they get past the door, and often wrong in one place. */
export function generate(
  schema: Schema,
  random: Random,
  about: { schemas: Record<string, Schema>; known: Record<string, string[]>; wrongness: number },
  name = ''
): unknown {
  if (random.fraction() < about.wrongness)
    return random.fraction() < 0.5 ? random.pick(hostileTexts) : random.pick(hostileValues)
  const inner = (child: Schema, childName = name): unknown => generate(child, random, about, childName)
  if (schema.$ref !== undefined) return inner(about.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {})
  const options = schema.anyOf ?? schema.oneOf
  if (options !== undefined) return inner(random.pick(options))
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return random.pick(schema.enum)
  switch (typeof schema.type === 'object' ? random.pick(schema.type) : schema.type) {
    case 'object':
      return generateObject(schema, random, about)
    case 'array': {
      const length = Math.max(schema.minItems ?? 0, random.pick([0, 1, 1, 2, 3, 10]))
      return Array.from({ length }, () => inner(schema.items ?? {}))
    }
    case 'integer':
    case 'number':
      return (
        (schema.minimum ?? -5) +
        random.below(Math.min(1000, (schema.maximum ?? 1000) - (schema.minimum ?? -5)) + 1)
      )
    case 'boolean':
      return random.fraction() < 0.5
    case 'null':
      return null
    case 'string':
      return generateText(name, schema, random, about.known)
    default:
      return random.pick(hostileValues)
  }
}

function generateObject(
  schema: Schema,
  random: Random,
  about: Parameters<typeof generate>[2]
): Record<string, unknown> {
  const required = new Set(schema.required)
  const entries = Object.entries(schema.properties ?? {})
    .filter(([key]) => required.has(key) || random.fraction() < 0.3)
    .filter(() => random.fraction() >= about.wrongness / 4)
    .map(([key, child]) => [key, generate(child, random, about, key)] as const)
  const free = typeof schema.additionalProperties === 'object' ? ['a', 'b'] : []
  const more = random.fraction() < about.wrongness ? [...free, random.pick(hostileTexts)] : free
  return Object.fromEntries([...entries, ...more.map((key) => [key, 'value'] as const)])
}

function generateText(name: string, schema: Schema, random: Random, known: Record<string, string[]>): string {
  const values = known[name]
  if (values !== undefined && values.length > 0 && random.fraction() < 0.9) return random.pick(values)
  if (schema.format === 'date-time') return '2030-01-01T00:00:00Z'
  if (schema.format === 'date') return new Date().toISOString().slice(0, 10)
  if (schema.format === 'uuid') return randomUUID()
  const length = Math.min(schema.maxLength ?? 30, Math.max(schema.minLength ?? 0, random.below(41)))
  return 'Abc 123'.repeat(10).slice(0, length)
}
