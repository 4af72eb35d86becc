import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, describe, it } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { problemSchema } from '../../src/http/problem-answer.ts'
import { reloadCertificate } from '../../src/http/transport.ts'
import { readSettings, type Settings } from '../../src/settings.ts'
import { listen } from '../support/api.ts'
import { anOrganization } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'
import { openRaw, readAll, readAnswer, sendRaw } from '../support/raw.ts'

const database = await createTestDatabase()
const organizationId = await anOrganization(database.db)
const api = await listen(createTestContext(database), { organizationId })

describe('what is not quite HTTP', () => {
  const table: [string, string, number][] = [
    ['a request without Host', 'GET /health/live HTTP/1.1\r\n\r\n', 400],
    ['a request with two hosts', 'GET /health/live HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n', 400],
    [
      'an unknown expectation',
      'POST /transfers/bulk HTTP/1.1\r\nhost: localhost\r\nexpect: cake\r\n\r\n',
      417
    ],
    ['CONNECT', 'CONNECT example.com:443 HTTP/1.1\r\nhost: localhost\r\n\r\n', 400],
    ['a method that does not exist', 'BREW / HTTP/1.1\r\nhost: localhost\r\n\r\n', 400],
    ['TRACE', 'TRACE / HTTP/1.1\r\nhost: localhost\r\n\r\n', 404],
    ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    [
      'a length and a transfer encoding',
      'POST /transfers/bulk HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      400
    ],
    [
      'two lengths',
      'POST /transfers/bulk HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcd',
      400
    ],
    ['a header folded over two lines', 'GET / HTTP/1.1\r\nhost: localhost\r\nx: a\r\n b\r\n\r\n', 400],
    ['a header with a lone line feed', 'GET / HTTP/1.1\r\nhost: localhost\r\nx: a\rb\r\n\r\n', 400]
  ]
  for (const [what, bytes, status] of table)
    it(`is answered in the one error body: ${what}`, async () => {
      const closing = bytes.replace(/host: localhost\r\n/, 'host: localhost\r\nconnection: close\r\n')
      const socket = await openRaw(api.url)
      socket.write(closing)
      if (!closing.includes('connection: close')) socket.end()
      const answer = readAnswer(await readAll(socket))
      assert.equal(answer.status, status)
      problemSchema.strict().parse(answer.body)
    })

  it('is served as HTTP/1.1 when it asks for another protocol', async () => {
    const socket = await openRaw(api.url)
    socket.end(
      'GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'
    )
    const text = await readAll(socket)
    assert.match(text, /^HTTP\/1.1 200 /)
  })
})

describe('answers', () => {
  it('may not be run, framed or guessed at by a browser', async () => {
    const { headers } = await api.ask('/accounts')
    assert.equal(headers.get('content-security-policy'), "default-src 'none';frame-ancestors 'none'")
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('x-frame-options'), 'SAMEORIGIN')
    assert.equal(headers.get('x-powered-by'), null)
    assert.equal(headers.get('server'), null)
  })

  it('of the documentation load nothing from elsewhere and run no script but its own', async () => {
    for (const page of ['/docs', '/docs/', '/docs/static/index.html']) {
      const policy = (await api.ask(page)).headers.get('content-security-policy') ?? ''
      assert.match(policy, /default-src 'self'/, page)
      assert.match(policy, /script-src 'self'/)
      assert.doesNotMatch(policy, /https:|unsafe|\*|validator/)
    }
  })

  it('promise HTTPS for the future only where it is there', async () => {
    assert.equal((await api.ask('/accounts')).headers.get('strict-transport-security'), null)
    const proxied = await listen(createTestContext(database, { TRUSTED_PROXY: '10.0.0.0/8' }), {
      organizationId
    })
    assert.match(
      (await proxied.ask('/accounts')).headers.get('strict-transport-security') ?? '',
      /max-age=\d{8}/
    )
  })
})

describe('web pages of another origin', () => {
  const preflight = {
    method: 'OPTIONS',
    headers: { origin: 'https://pay.example.com', 'access-control-request-method': 'POST' }
  }

  it('may not call the API', async () => {
    const answer = await api.ask('/transfers/bulk', preflight)
    assert.deepEqual([answer.status, answer.headers.get('access-control-allow-origin')], [404, null])
  })

  it('may where they are listed, and without cookies', async () => {
    const context = createTestContext(database, {
      CORS_ORIGINS: 'https://a.example.com, https://pay.example.com'
    })
    const own = await listen(context, { organizationId })
    const asked = await own.ask('/transfers/bulk', preflight)
    assert.deepEqual(
      [asked.status, asked.headers.get('access-control-allow-origin')],
      [204, 'https://pay.example.com']
    )
    assert.equal(asked.headers.get('access-control-allow-credentials'), null)
    const called = await own.ask('/accounts', { headers: preflight.headers })
    assert.deepEqual([called.status, called.headers.get('vary')], [200, 'Origin'])
    const other = await own.ask('/accounts', { headers: { origin: 'https://evil.example.com' } })
    assert.equal(other.headers.get('access-control-allow-origin'), null)
  })
})

describe('a connection on which no whole request came in time', () => {
  it('is told so if one was begun', async () => {
    const own = await anImpatientApi()
    const answer = readAnswer(await sendRaw(own.url, 'GET /health/live HTTP/1.1\r\nhost: lo'))
    assert.deepEqual([answer.status, answer.body.error.reason], [408, 'request-timeout'])
  })

  it('is closed without a word if none was: a client that begins one just then would take it for its answer', async () => {
    const own = await anImpatientApi()
    assert.equal(await readAll(await openRaw(own.url)), '')
  })
})

/** An API that waits for the head of a request no longer than until it next looks, which is every five seconds. */
async function anImpatientApi(settings: Partial<Settings> = {}) {
  const own = await listen(createTestContext(database, settings), { organizationId })
  own.server.server.headersTimeout = 100
  return own
}

describe('HTTPS', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'bulkhead-tls-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  const files = { TLS_CERT: path.join(folder, 'cert.pem'), TLS_KEY: path.join(folder, 'key.pem') }

  it('is spoken with the certificate of the settings, and with its successor after a reload', async () => {
    makeCertificate('first', files)
    const context = createTestContext(database, files)
    const own = await listen(context, { organizationId })
    assert.deepEqual(await askTls(own.url), { name: 'first', protocol: 'TLSv1.3', status: 200 })
    makeCertificate('second', files)
    assert.equal((await askTls(own.url)).name, 'first')
    reloadCertificate(own.server, context.settings)
    assert.equal((await askTls(own.url)).name, 'second')
  })

  it('closes a connection on which nothing came in time without a word', async () => {
    makeCertificate('patient', files)
    const own = await anImpatientApi(files)
    assert.equal(await readAll(await openTls(own.url)), '')
  })

  it('refuses TLS 1.1 and plain HTTP', async () => {
    makeCertificate('third', files)
    const own = await listen(createTestContext(database, files), { organizationId })
    await assert.rejects(askTls(own.url, 'TLSv1.1'))
    assert.doesNotMatch(
      await sendRaw(own.url, 'GET /accounts HTTP/1.1\r\nhost: x\r\n\r\n').catch(String),
      /200/
    )
  })
})

function makeCertificate(name: string, { TLS_CERT, TLS_KEY }: { TLS_CERT: string; TLS_KEY: string }): void {
  const pair = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    TLS_KEY,
    '-out',
    TLS_CERT
  ]
  execFileSync('openssl', ['req', '-x509', '-days', '2', '-subj', `/CN=${name}`, ...pair], {
    stdio: 'ignore'
  })
}

async function openTls(url: string, maxVersion: 'TLSv1.3' | 'TLSv1.1' = 'TLSv1.3') {
  const { port } = new URL(url)
  const minVersion = maxVersion === 'TLSv1.1' ? 'TLSv1' : 'TLSv1.2'
  const socket = connectTls({
    port: Number(port),
    host: '127.0.0.1',
    rejectUnauthorized: false,
    minVersion,
    maxVersion
  })
  await once(socket, 'secureConnect')
  return socket
}

async function askTls(...to: Parameters<typeof openTls>) {
  const socket = await openTls(...to)
  const { subject } = socket.getPeerCertificate()
  const protocol = socket.getProtocol()
  socket.write('GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
  const text = await readAll(socket)
  return { name: subject.CN, protocol, status: Number(text.split(' ')[1]) }
}

describe('settings of the transport', () => {
  const refusals: [string, Record<string, string>, RegExp][] = [
    ['plain HTTP for other machines', { MODE: 'test', HOST: '0.0.0.0' }, /^HOST: .*in the clear/],
    ['demo mode for other machines', { HOST: '::' }, /^HOST: .*demo mode/],
    ['demo mode behind a proxy', { TRUSTED_PROXY: '10.0.0.1' }, /^TRUSTED_PROXY: .*demo mode/],
    ['a certificate without a key', { TLS_CERT: 'x.pem' }, /^TLS_CERT: /],
    [
      'a proxy that is no address',
      { MODE: 'test', TRUSTED_PROXY: '10.0.0.1, everybody' },
      /^TRUSTED_PROXY: /
    ],
    ['a network that is none', { MODE: 'test', TRUSTED_PROXY: '10.0.0.0/33' }, /^TRUSTED_PROXY: /],
    ['an origin with a path', { CORS_ORIGINS: 'https://a.example.com/' }, /^CORS_ORIGINS: /],
    ['every origin', { CORS_ORIGINS: '*' }, /^CORS_ORIGINS: /],
    [
      'an issuer without an audience',
      { OIDC_ISSUER: 'https://a.example.com' },
      /^OIDC_ISSUER: .*OIDC_AUDIENCE/
    ],
    [
      'an issuer over HTTP',
      { OIDC_ISSUER: 'http://a.example.com', OIDC_AUDIENCE: 'x' },
      /^OIDC_ISSUER: .*https/
    ],
    ['an issuer that is no address', { OIDC_ISSUER: 'a.example.com', OIDC_AUDIENCE: 'x' }, /^OIDC_ISSUER: /],
    ['keys of nobody', { OIDC_JWKS_URL: 'https://a.example.com/keys' }, /^OIDC_JWKS_URL: /]
  ]
  for (const [what, environment, says] of refusals)
    it(`are refused: ${what}`, () => {
      const read = readSettings(environment)
      assert.ok(read.outcome === 'invalid')
      assert.deepEqual(
        [read.errors.length, says.test(read.errors[0] ?? '')],
        [1, true],
        read.errors.join('\n')
      )
    })

  it('are taken: HTTPS, or a declared proxy, on every address', () => {
    for (const more of [{ TLS_CERT: 'cert.pem', TLS_KEY: 'key.pem' }, { TRUSTED_PROXY: '10.0.0.0/8, ::1' }])
      assert.equal(readSettings({ MODE: 'test', HOST: '0.0.0.0', ...more }).outcome, 'ok')
  })
})
