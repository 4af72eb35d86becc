import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { createSecureContext } from 'node:tls'
import { Problem, type ProblemContent } from '../domain/problem.ts'
import type { Settings } from '../settings.ts'
import { answerOnSocket } from './client-error.ts'
import { describeProblem } from './problem-answer.ts'
import type { Server } from './server-type.ts'
import { traceIdOf } from './trace.ts'

/** Who sends or reads too slowly loses its connection. Node's own limits are looser, or none. */
const limits = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  // How often Node looks for requests that take too long; its own default lets them live twice as long.
  connectionsCheckingInterval: 5_000,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 16_384,
  // Node would answer without a body; refuseOddRequests answers with ours.
  requireHostHeader: false
}
/** A connection on which nothing moves, while a client does not read its answer. */
const stillMs = 120_000

/** A server for HTTP, or HTTPS if the settings name a certificate, that holds clients to its limits. */
export function createHttpServer(handler: http.RequestListener, settings: Settings): http.Server {
  const certificate = readCertificate(settings)
  const server =
    certificate === null
      ? http.createServer(limits, handler)
      : https.createServer(
          { ...limits, ...certificate, minVersion: 'TLSv1.2', handshakeTimeout: 10_000 },
          handler
        )
  server.maxConnections = settings.MAX_CONNECTIONS
  server.setTimeout(stillMs)
  server.on('connect', (_, socket: Socket) =>
    answerOnSocket(socket, {
      reason: 'malformed-request',
      details: 'This is no proxy: CONNECT is not served.'
    })
  )
  server.on('checkExpectation', refuseExpectation)
  return server
}

/** Takes the certificate and key as their files are now, for connections to come; does nothing where HTTP is served. */
export function reloadCertificate(server: Server, settings: Settings): void {
  const certificate = readCertificate(settings)
  if (certificate !== null && server.server instanceof https.Server)
    server.server.setSecureContext({ ...certificate, minVersion: 'TLSv1.2' })
}

/** The certificate and key of the settings, if there are any; throws when they cannot be read or do not fit. */
export function readCertificate({ TLS_CERT, TLS_KEY }: Settings): { cert: Buffer; key: Buffer } | null {
  if (TLS_CERT === undefined || TLS_KEY === undefined) return null
  const certificate = { cert: readFileSync(TLS_CERT), key: readFileSync(TLS_KEY) }
  createSecureContext(certificate)
  return certificate
}

function refuseExpectation(request: http.IncomingMessage, response: http.ServerResponse): void {
  const body = describeProblem(
    {
      reason: 'expectation-failed',
      details: 'Of the header Expect only 100-continue is known; send the request without it.'
    },
    { instance: request.url?.split('?')[0] ?? '', trace_id: traceIdOf(request), bulk_id: null }
  )
  const text = JSON.stringify(body)
  response.writeHead(body.status, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(text),
    connection: 'close'
  })
  response.end(text)
}

/** A request has to say once to which host it goes; two that say different things may be read apart by a proxy. */
export function refuseOddRequests(server: Server): void {
  server.addHook('onRequest', (request, _, done) => {
    const hosts = request.raw.rawHeaders.filter((name, index) => index % 2 === 0 && /^host$/i.test(name))
    const { httpVersion } = request.raw
    const isOdd = hosts.length > 1 || (httpVersion === '1.1' ? hosts.length === 0 : httpVersion !== '1.0')
    if (isOdd)
      done(
        new Problem({
          reason: 'malformed-request',
          details: 'Send the request as HTTP/1.1, with the header Host once.'
        })
      )
    // PostgreSQL takes no U+0000, even in a question; nothing has it in its name.
    else if (request.url.includes('%00')) done(new Problem(describeNull(request.url)))
    else done()
  })
}

function describeNull(url: string): ProblemContent {
  const [path = ''] = url.split('?')
  return path.includes('%00')
    ? { reason: 'not-found', details: 'There is nothing at this address: %00 is no character.' }
    : { reason: 'invalid-parameter', details: 'A parameter has a %00, which is no character.' }
}
