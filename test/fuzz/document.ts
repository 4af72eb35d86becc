import { z } from 'zod'
import type { Schema } from './generate.ts'

export interface Operation {
  operationId: string
  parameters?: { name: string; in: 'path' | 'query' | 'header'; schema: Schema }[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, { content?: Record<string, { schema: Schema; examples?: object }> }>
}

/** An OpenAPI document, as far as it is needed to call and to judge. */
export interface ApiDocument {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema> }
}

export interface Call {
  path: string
  method: string
  operation: Operation
}

/** Every operation of a document. */
export function operationsOf(document: ApiDocument): Call[] {
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ path, method, operation }))
  )
}

/** Judges answers by what the document declares. */
export function judgeBy(document: ApiDocument) {
  const validators = new Map<Schema, z.ZodType>()
  const validatorOf = (schema: Schema): z.ZodType => {
    const known = validators.get(schema)
    if (known) return known
    const made = z.fromJSONSchema(closed(schema, document) as Parameters<typeof z.fromJSONSchema>[0])
    validators.set(schema, made)
    return made
  }
  /** What is wrong with an answer, or null. */
  return (operation: Operation, answer: { status: number; type: string; text: string }): string | null => {
    const { status, type, text } = answer
    if (status >= 500 && status !== 503) return `${status}: ${text.slice(0, 300)}`
    const declared = operation.responses[String(status)]
    if (declared === undefined) return `${status} is not declared: ${text.slice(0, 300)}`
    if (declared.content === undefined)
      return text === '' ? null : `${status} has a body: ${text.slice(0, 100)}`
    const content = declared.content[type]
    if (content === undefined)
      return `${status} has the type ${type}, declared are ${Object.keys(declared.content).join(', ')}`
    if (!type.endsWith('json')) return null
    const parsed = validatorOf(content.schema).safeParse(JSON.parse(text))
    if (!parsed.success) return `${status}: ${z.prettifyError(parsed.error)}: ${text.slice(0, 300)}`
    if (type !== 'application/problem+json') return null
    const { reason } = (parsed.data as { error: { reason: string } }).error
    return Object.hasOwn(content.examples ?? {}, reason) ? null : `${status} does not list ${reason}`
  }
}

/** A schema with what it refers to in itself. */
function closed(schema: Schema, document: ApiDocument): unknown {
  const text = JSON.stringify({ ...schema, $defs: document.components.schemas })
  return JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/'))
}
