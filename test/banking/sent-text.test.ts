import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, it } from 'node:test'
import { createHttpBank } from '../../src/banking/http-bank.ts'
import { anOrder } from './connector-conformance.ts'

describe('what the HTTP bank is sent', () => {
  it('is in the characters of SEPA', async () => {
    const bodies: string[] = []
    const server = createServer((request, response) => {
      request.setEncoding('utf8').on('data', (text: string) => bodies.push(text))
      request.on('end', () => response.writeHead(500).end())
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const bank = createHttpBank({ url, connections: 1, timeout_ms: 5_000 })
    after(async () => {
      await bank.close()
      server.close()
    })
    await bank.submit({ ...anOrder(), counterparty_name: 'Zoë Weiß', description: 'Gehalt für Juni' })
    const sent = JSON.parse(bodies.join('')) as Record<string, unknown>
    assert.deepEqual([sent['counterparty_name'], sent['description']], ['Zoe Weis', 'Gehalt fur Juni'])
  })
})
