import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { after, describe, it } from 'node:test'
import { readRanges } from '../../src/domain/receiver-address.ts'
import { createGuardedPost } from '../../src/outgoing/guarded-post.ts'
import { startReceiver } from '../support/receiver.ts'

const policy = { https_only: false, allowed: readRanges('127.0.0.0/8') ?? [] }
const elsewhere = { https_only: false, allowed: readRanges('192.168.7.0/24') ?? [] }

/** Posts to names, which have these addresses, one list for each time that they are asked for. */
function poster(answers: string[][], options: { timeout_ms?: number; allow?: boolean } = {}) {
  const asked: string[] = []
  const { post } = createGuardedPost({
    policy: options.allow === false ? elsewhere : policy,
    timeout_ms: options.timeout_ms ?? 5_000,
    resolve: (name) => {
      asked.push(name)
      return Promise.resolve(answers[asked.length - 1] ?? [])
    }
  })
  return {
    asked,
    post: (url: string) => post({ url, headers: { 'content-type': 'application/json' }, body: '{}' })
  }
}

describe('a guarded post', () => {
  it('arrives under the name of the receiver, at the address that was allowed', async () => {
    const receiver = await startReceiver()
    receiver.answer = (_, response) => response.writeHead(200, { 'retry-after': '7' }).end('thanks')
    const { asked, post } = poster([['127.0.0.1']])
    assert.deepEqual(await post(`http://receiver.example:${receiver.port}/hook?a=b`), {
      outcome: 'answered',
      status: 200,
      retry_after: '7',
      body_start: 'thanks'
    })
    assert.deepEqual(asked, ['receiver.example'])
    const [taken] = receiver.received
    assert.deepEqual(
      [taken?.url, taken?.headers.host, taken?.body],
      ['/hook?a=b', `receiver.example:${receiver.port}`, '{}']
    )
  })

  it('goes where the name led when it was checked, whatever the name leads to a moment later', async () => {
    const receiver = await startReceiver()
    const { asked, post } = poster([['127.0.0.1'], ['10.0.0.1'], ['127.0.0.1', '169.254.169.254'], ['::1']])
    const url = `http://rebinding.example:${receiver.port}/`
    assert.equal((await post(url)).outcome, 'answered')
    assert.equal(asked.length, 1, 'it is asked for once a call')
    for (let call = 0; call < 3; call++)
      assert.deepEqual(await post(url), { outcome: 'refused', cause: 'address-not-allowed' })
    assert.equal(receiver.received.length, 1)
  })

  it('does not reach this machine by any of its addresses or names', async () => {
    const receiver = await startReceiver()
    const { asked, post } = poster([['127.0.0.1'], ['::ffff:127.0.0.1'], ['0.0.0.0']], { allow: false })
    const hosts = [
      '127.0.0.1',
      '2130706433',
      '0x7f.1',
      '[::ffff:127.0.0.1]',
      '[::1]',
      'localhost',
      'a.example',
      'b.example',
      'c.example'
    ]
    for (const host of hosts)
      assert.deepEqual(
        await post(`http://${host}:${receiver.port}/`),
        { outcome: 'refused', cause: 'address-not-allowed' },
        host
      )
    assert.deepEqual(asked, ['a.example', 'b.example', 'c.example'])
    assert.deepEqual(await post('http://d.example:8080/'), { outcome: 'refused', cause: 'name-not-resolved' })
    assert.deepEqual(receiver.received, [])
  })

  it('tries the next address when the first does not take it', async () => {
    const receiver = await startReceiver()
    const { post } = poster([['127.0.0.9', '127.0.0.1']])
    assert.equal((await post(`http://two.example:${receiver.port}/`)).outcome, 'answered')
  })

  it('asks for the certificate of the name, at the address', async () => {
    const hello = new Promise<Buffer>((resolve) => {
      const server = createServer((socket: Socket) => {
        socket.once('data', (bytes: Buffer) => {
          resolve(bytes)
          socket.destroy()
        })
        socket.on('error', () => undefined)
      }).listen(0, '127.0.0.1', () => {
        const { port } = server.address() as AddressInfo
        void poster([['127.0.0.1']]).post(`https://named.example:${port}/`)
      })
      after(() => server.close())
    })
    assert.ok((await hello).includes('named.example'), 'the name is in the ClientHello')
  })
})

describe('a receiver', () => {
  it('that redirects is not followed', async () => {
    const receiver = await startReceiver()
    receiver.answer = (_, response) =>
      response.writeHead(307, { location: `${receiver.url}/elsewhere` }).end()
    const answer = await poster([]).post(`${receiver.url}/`)
    assert.deepEqual([answer.outcome, 'status' in answer && answer.status], ['answered', 307])
    assert.equal(receiver.received.length, 1)
  })

  it('that answers 50 MB has the start of it read, and is hung up on', async () => {
    const receiver = await startReceiver()
    let written = 0
    let closed: Promise<unknown> = Promise.resolve()
    receiver.answer = (_, response) => {
      closed = once(response, 'close')
      response.writeHead(200)
      const block = Buffer.alloc(1024 * 1024, 'x')
      const fill = (): void => {
        while (written < 50 * block.length && !response.destroyed) {
          written += block.length
          if (!response.write(block)) return void response.once('drain', fill)
        }
      }
      fill()
    }
    const answer = await poster([]).post(`${receiver.url}/`)
    assert.deepEqual(answer, {
      outcome: 'answered',
      status: 200,
      retry_after: null,
      body_start: 'x'.repeat(1000)
    })
    await closed
    assert.ok(written < 40 * 1024 * 1024, `${written} bytes were written`)
  })

  it('that says nothing is given up after the time-out, and one that stops in mid-answer has answered', async () => {
    const receiver = await startReceiver()
    receiver.answer = () => undefined
    assert.deepEqual(await poster([], { timeout_ms: 100 }).post(receiver.url), {
      outcome: 'failed',
      cause: 'timeout'
    })
    receiver.answer = (_, response) => void response.writeHead(200).write('be')
    const answer = await poster([], { timeout_ms: 100 }).post(receiver.url)
    assert.deepEqual(answer, { outcome: 'answered', status: 200, retry_after: null, body_start: 'be' })
  })

  it('that closes the connection, is not there, or whose name servers are silent, is a failure with a cause', async () => {
    const receiver = await startReceiver()
    receiver.answer = (_, response) => response.destroy()
    assert.deepEqual(await poster([]).post(receiver.url), { outcome: 'failed', cause: 'UND_ERR_SOCKET' })
    assert.deepEqual(await poster([]).post('http://127.0.0.1:1/'), {
      outcome: 'failed',
      cause: 'ECONNREFUSED'
    })
    const { post } = createGuardedPost({
      policy,
      timeout_ms: 50,
      resolve: () => new Promise(() => undefined)
    })
    const answer = await post({ url: 'http://silent.example/', headers: {}, body: '' })
    assert.deepEqual(answer, { outcome: 'failed', cause: 'timeout' })
  })
})
