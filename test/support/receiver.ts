import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after } from 'node:test'
import { text } from 'node:stream/consumers'

export interface Received {
  url: string
  headers: IncomingHttpHeaders
  body: string
}

/** A real HTTP server on this machine that keeps what it is sent, and answers as a test wants it to. */
export async function startReceiver(options: { port?: number } = {}) {
  const received: Received[] = []
  const receiver = {
    url: '',
    port: 0,
    received,
    answer: (_: Received, response: ServerResponse): void => void response.writeHead(204).end()
  }
  const server = createServer((request, response) => void take(request, response))
  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // What breaks off was not received.
    const body = await text(request).catch(() => null)
    if (body === null) return
    const taken = { url: request.url ?? '', headers: request.headers, body }
    received.push(taken)
    receiver.answer(taken, response)
  }
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  receiver.port = (server.address() as AddressInfo).port
  receiver.url = `http://127.0.0.1:${receiver.port}`
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  return receiver
}
