import { splitList } from '../settings.ts'
import type { Server } from './server-type.ts'

const exposed = 'location, retry-after, etag, traceparent, idempotent-replayed, ratelimit, ratelimit-policy'

/** Lets web pages of these origins call the API, with a key or token of theirs: never with cookies. */
export function allowOrigins(server: Server, list: string | undefined): void {
  if (list === undefined) return
  const origins = splitList(list)
  server.addHook('onRequest', async (request, reply) => {
    reply.header('vary', 'Origin')
    const { origin } = request.headers
    if (origin === undefined || !origins.includes(origin)) return
    reply.header('access-control-allow-origin', origin).header('access-control-expose-headers', exposed)
    if (request.method !== 'OPTIONS') return
    // The browser asks before the call itself, without credentials.
    await reply
      .code(204)
      .header('access-control-allow-methods', 'GET, POST, PUT, PATCH, DELETE')
      .header(
        'access-control-allow-headers',
        'authorization, content-type, if-none-match, last-event-id, traceparent'
      )
      .header('access-control-max-age', '600')
      .send()
  })
}
