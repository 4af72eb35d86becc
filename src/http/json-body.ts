import type { Server } from './server-type.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Bodies are JSON in UTF-8, as JSON has to be (RFC 8259, 8.1), and not compressed. What is not is refused: read as
 * something else, a name would be stored with other letters than were sent.
 */
export function parseJsonStrictly(server: Server): void {
  const parse = server.getDefaultJsonParser('error', 'error')
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const charset = /charset="?([^;"]+)/i.exec(request.headers['content-type'] ?? '')?.[1] ?? 'utf-8'
    const encoding = request.headers['content-encoding'] ?? 'identity'
    if (!/^utf-?8$/i.test(charset.trim()) || encoding !== 'identity') {
      done(refusal(415, 'Send the body as JSON in UTF-8, not compressed.'))
      return
    }
    // Many clients send the header with every POST; a route without a body has nothing to read.
    if (body.length === 0 && request.routeOptions.schema?.body === undefined) {
      done(null, undefined)
      return
    }
    let text: string
    try {
      text = utf8.decode(body as Buffer)
    } catch (cause) {
      done(refusal(400, 'The body is not UTF-8.', cause))
      return
    }
    void parse(request, text, done)
  })
}

function refusal(statusCode: number, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { statusCode })
}
