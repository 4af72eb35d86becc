import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import type { AuditRecord } from './audit-log.ts'

/** What is read of a line of an export; what the hash does not cover is not looked at. */
const record = z.object({
  position: z.int(),
  type: z.string(),
  actor: z.string(),
  trace_id: z.string().nullable(),
  occurred_at: z.string(),
  data: z.unknown(),
  content: z.string(),
  previous_hash: z.string(),
  hash: z.string()
})

/** The canonical content: organization, number, type, bulk, version, actor, trace, microseconds since 1970, data. */
const canonical = z.tuple([
  z.int(),
  z.int(),
  z.string(),
  z.int().nullable(),
  z.int().nullable(),
  z.string(),
  z.string().nullable(),
  z.int(),
  z.unknown()
])

/** Where a chain of records has come to. */
export interface Chain {
  organization_id: number | null
  position: number
  hash: string
}

/** Before the first record. */
export const startOfChain: Chain = { organization_id: null, position: 0, hash: '' }

/** A line of an export as a record, or null if it is none. */
export function parseRecord(line: string): AuditRecord | null {
  try {
    return record.parse(JSON.parse(line))
  } catch {
    return null
  }
}

/**
 * Goes one record on, or tells what is wrong with it: it is not the next, does not go on from the one before, does not
 * say what its content says, or its hash is not that of its content.
 */
export function followChain(chain: Chain, found: AuditRecord): Chain | { fault: string } {
  if (found.position !== chain.position + 1)
    return { fault: `the record before it has the position ${chain.position}` }
  if (found.previous_hash !== chain.hash) return { fault: 'it does not go on from the record before it' }
  const { organization_id, fault } = readContent(found)
  if (fault !== undefined) return { fault }
  if (chain.organization_id !== null && chain.organization_id !== organization_id)
    return { fault: 'it is of another organization than the record before it' }
  if (found.hash !== hashOf(chain.hash, found.content))
    return { fault: 'its hash is not that of its content and of the record before it' }
  return { organization_id, position: found.position, hash: found.hash }
}

/** SHA-256 of the bytes of the hash before and of the content in UTF-8. */
function hashOf(previous: string, content: string): string {
  return createHash('sha256').update(Buffer.from(previous, 'hex')).update(content, 'utf8').digest('hex')
}

function readContent(found: AuditRecord): { organization_id: number; fault?: string } {
  const read = canonical.safeParse(parse(found.content))
  if (!read.success) return { organization_id: 0, fault: 'its content is not of the canonical form' }
  const [organization_id, , type, , , actor, trace_id, at_us, data] = read.data
  const occurred_at = new Date(Math.floor(at_us / 1000)).toISOString()
  const said = { type, actor, trace_id, occurred_at, data }
  const shown = {
    type: found.type,
    actor: found.actor,
    trace_id: found.trace_id,
    occurred_at: found.occurred_at,
    data: found.data
  }
  return isDeepStrictEqual(said, shown)
    ? { organization_id }
    : { organization_id, fault: 'it shows something else than the content that its hash covers' }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
