import assert from 'node:assert/strict'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import { describe, it } from 'node:test'
import { startSandboxBank } from '../../src/sandbox-bank/start-sandbox-bank.ts'
import { ask, list, newLogFile, order, orders, post, postAll } from './bank-harness.ts'
import { referencesInLog, spawnBank, startBank, type Reply } from './bank-harness.ts'

const reasonOf = ({ body }: Reply) => (body as { reason?: string }).reason
const referenceOf = ({ body }: Reply) => (body as { reference: string }).reference

describe('sandbox bank durability', () => {
  it('keeps everything over a restart', async (t) => {
    const logFile = newLogFile(t)
    const bank = await startBank(t, { logFile })
    const replies = await postAll(bank.url, orders(200, 'payment', { counterparty_name: 'Zoë\n"🐘"' }))
    const before = await list(bank.url, '?limit=1000')
    await bank.stop()
    const { url } = await startBank(t, { logFile })
    assert.deepEqual(await list(url, '?limit=1000'), before)
    const again = await postAll(url, orders(200, 'payment', { counterparty_name: 'Zoë\n"🐘"' }))
    assert.deepEqual(
      again,
      replies.map(({ body }) => ({ status: 200, body }))
    )
    assert.equal((await post(url, order({ reference: 'payment-7', amount: '1.00' }))).status, 409)
    assert.equal((await list(url)).count, 200)
  })

  it('loses no acknowledged payment to kill -9 in the middle of a stream, again and again', async (t) => {
    const logFile = newLogFile(t)
    const acknowledged: Reply[] = []
    for (const round of [1, 2, 3]) {
      const { child, url } = await spawnBank(t, logFile)
      const stream = async (lane: number) => {
        for (let index = 0; ; index += 1) {
          const reply = await post(url, order({ reference: `${round}-${lane}-${index}` }))
          assert.equal(reply.status, 201)
          if (acknowledged.push(reply) === round * 300) child.kill('SIGKILL')
        }
      }
      const ends = await Promise.allSettled(Array.from({ length: 16 }, (_, lane) => stream(lane)))
      // Every lane ends by the killed bank, none by an answer that was not a 201.
      assert.ok(ends.every((end) => end.status === 'rejected' && end.reason instanceof TypeError))
    }
    const { url } = await startBank(t, { logFile })
    for (const { body } of acknowledged) {
      assert.deepEqual(await ask(`${url}/payments/${(body as { reference: string }).reference}`), {
        status: 200,
        body
      })
    }
    const references = referencesInLog(logFile)
    assert.equal(new Set(references).size, references.length)
    assert.equal((await list(url)).count, references.length)
  })

  for (const torn of ['first byte', 'half', 'all but the newline'] as const) {
    it(`cuts off a torn last line (${torn}) and keeps the rest`, async (t) => {
      const logFile = newLogFile(t)
      const bank = await startBank(t, { logFile })
      await postAll(bank.url, orders(3, 'payment'), 1)
      await bank.stop()
      const whole = readFileSync(logFile, 'utf8')
      const line = whole.split('\n')[0]!.replace('payment-0', 'payment-9')
      const length = { 'first byte': 1, half: line.length / 2, 'all but the newline': line.length }[torn]
      appendFileSync(logFile, line.slice(0, length))
      const { url } = await startBank(t, { logFile })
      assert.equal(readFileSync(logFile, 'utf8'), whole)
      assert.equal((await ask(`${url}/payments/payment-9`)).status, 404)
      assert.equal((await post(url, order({ reference: 'payment-9' }))).status, 201)
      assert.deepEqual(referencesInLog(logFile), ['payment-0', 'payment-1', 'payment-2', 'payment-9'])
    })
  }

  for (const [what, damage] of [
    ['is not JSON', (line: string) => line.replace('{', '')],
    ['is empty', () => ''],
    ['has another amount form', (line: string) => line.replace('"100.00"', '100.00')],
    ['has an unknown status', (line: string) => line.replace('EXECUTED', 'DONE')],
    ['repeats a reference', (line: string) => line.replace('payment-1', 'payment-0')]
  ] as const) {
    it(`refuses to start on a log whose second line ${what}`, async (t) => {
      const logFile = newLogFile(t)
      const bank = await startBank(t, { logFile })
      await postAll(bank.url, orders(3, 'payment'), 1)
      await bank.stop()
      const [first = '', second = '', ...others] = readFileSync(logFile, 'utf8').split('\n')
      const damaged = [first, damage(second), ...others].join('\n')
      writeFileSync(logFile, damaged)
      await assert.rejects(startSandboxBank({ port: 0, logFile }), (error: Error) =>
        error.message.startsWith(`${logFile}, line 2 is corrupt: `)
      )
      assert.equal(readFileSync(logFile, 'utf8'), damaged)
    })
  }

  it('refuses payments after a full disk until restarted, and loses none it acknowledged', async (t) => {
    const logFile = newLogFile(t)
    const { child, url } = await spawnBank(t, logFile, 16)
    const replies = await postAll(url, orders(200, 'payment'), 8)
    const executed = replies.filter(({ status }) => status === 201).map(referenceOf)
    const failed = replies.filter(({ status }) => status >= 500).map(reasonOf)
    assert.ok(executed.length > 0 && executed.length + failed.length === 200)
    assert.deepEqual([...new Set(failed)].sort(), ['outcome-unknown', 'unavailable'])
    const inquiry = await ask(`${url}/payments/payment-199`)
    assert.deepEqual([inquiry.status, reasonOf(inquiry)], [500, 'outcome-unknown'])
    assert.equal((await ask(`${url}/payments/${executed[0]}`)).status, 200)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const restarted = await startBank(t, { logFile })
    const references = referencesInLog(logFile)
    assert.ok(executed.every((reference) => references.includes(reference)))
    assert.equal((await post(restarted.url, order({ reference: 'payment-199' }))).status, 201)
  })

  for (const [what, spoil] of [
    ['another process wrote to its log', (logFile: string) => appendFileSync(logFile, 'x')],
    ['its log was deleted', (logFile: string) => rmSync(logFile)]
  ] as const) {
    it(`stops taking payments once ${what}`, async (t) => {
      const logFile = newLogFile(t)
      const { url } = await startBank(t, { logFile })
      await post(url, order({ reference: 'before' }))
      spoil(logFile)
      const hit = await post(url, order({ reference: 'hit' }))
      const after = await post(url, order({ reference: 'after' }))
      assert.deepEqual([hit.status, reasonOf(hit)], [500, 'outcome-unknown'])
      assert.deepEqual([after.status, reasonOf(after)], [503, 'unavailable'])
      assert.equal(reasonOf(await post(url, order({ reference: 'hit' }))), 'outcome-unknown')
      assert.equal(reasonOf(await ask(`${url}/payments/hit`)), 'outcome-unknown')
      assert.equal((await ask(`${url}/payments`)).status, 500)
      assert.equal((await ask(`${url}/health`)).status, 503)
    })
  }

  it('waits for a predecessor on the same port and log, and takes over all that it acknowledged', async (t) => {
    const logFile = newLogFile(t)
    const old = await startBank(t, { logFile })
    const posting = postAll(old.url, orders(50, 'payment'), 50)
    const starting = startBank(t, { logFile, port: old.port })
    const replies = await posting
    await old.stop()
    const { url } = await starting
    assert.ok(replies.every(({ status }) => status === 201))
    assert.equal((await list(url)).count, 50)
  })

  it('finishes what is in flight when stopped', async (t) => {
    const logFile = newLogFile(t)
    const bank = await startBank(t, { logFile, latencyMs: 30 })
    const posting = post(bank.url, order())
    while (!readFileSync(logFile, 'utf8').endsWith('\n')) await new Promise(setImmediate)
    await bank.stop()
    assert.equal((await posting).status, 201)
    await assert.rejects(post(bank.url, order()), TypeError)
  })

  it('refuses a port that stays taken and a host that is not loopback', async (t) => {
    const logFile = newLogFile(t)
    mkdirSync(dirname(logFile))
    const occupier = createServer().listen(0, '127.0.0.1')
    t.after(() => occupier.close())
    await once(occupier, 'listening')
    const { port } = occupier.address() as AddressInfo
    await assert.rejects(startSandboxBank({ port, logFile, portWaitMs: 100 }), {
      message: `port ${port} on 127.0.0.1 is still in use after 100 ms`
    })
    await assert.rejects(startSandboxBank({ port: 0, host: '0.0.0.0', logFile }), /loopback only/)
  })
})
