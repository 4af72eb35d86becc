import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { problem, type Answer } from './answer.ts'

export type BodyReading =
  | { readonly outcome: 'read'; readonly json: unknown }
  | { readonly outcome: 'refused'; readonly answer: Answer }

const LARGEST_BODY_BYTES = 64 * 1024

/** Reads a request's body as JSON, or says as an answer why it is none. */
export async function readBody(request: IncomingMessage): Promise<BodyReading> {
  const bytes = await readBytes(request)
  if (bytes === undefined) {
    const details = `A body may have at most ${LARGEST_BODY_BYTES} bytes.`
    return { outcome: 'refused', answer: problem(413, 'payload-too-large', details) }
  }
  const json = isUtf8(bytes) ? parseJson(bytes.toString()) : undefined
  return json === undefined
    ? { outcome: 'refused', answer: problem(400, 'malformed-json', 'The body is not JSON in UTF-8.') }
    : { outcome: 'read', json }
}

// An oversized body is read to its end and thrown away: closing early would reset the answer away with it.
function readBytes(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= LARGEST_BODY_BYTES) chunks.push(chunk)
      else chunks.length = 0
    })
    request.on('end', () => resolve(size <= LARGEST_BODY_BYTES ? Buffer.concat(chunks) : undefined))
    request.on('error', reject)
  })
}

// JSON has no undefined, so undefined can stand for "not JSON".
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
