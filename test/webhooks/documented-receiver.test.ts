import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { after, it } from 'node:test'
import { createTestDatabase } from '../support/database.ts'
import { aSubscriber, createSendingContext, sendDue } from './stage.ts'

const root = path.join(import.meta.dirname, '../..')
const database = await createTestDatabase()
const context = createSendingContext(database)

it('the receiver of docs/webhooks.md takes what is signed, once, and refuses the rest', async () => {
  const port = await freePort()
  const subscriber = await aSubscriber(database, context, `http://127.0.0.1:${port}/bulkhead`)
  const lines = await runDocumentedReceiver({ PORT: String(port), WEBHOOK_SECRET: subscriber.secret })
  await subscriber.happen('bulk.completed', { bulk_id: 'b1', status: 'COMPLETED' })
  await sendDue(context)
  await database.sql(
    `update webhook_delivery set status = 'PENDING', due_at = now() where organization_id = $1`,
    [subscriber.organization_id]
  )
  await sendDue(context)
  await subscriber.happen('bulk.accepted', { bulk_id: 'b2', status: 'PENDING' })
  await sendDue(context)
  assert.deepEqual([await lines(), await lines()], ['bulk.completed COMPLETED', 'bulk.accepted PENDING'])
  assert.deepEqual(
    (await subscriber.deliveries()).map(({ status, attempts }) => [status, attempts]),
    [
      ['DELIVERED', 2],
      ['DELIVERED', 1]
    ]
  )
  const forged = await fetch(`http://127.0.0.1:${port}/`, {
    method: 'POST',
    body: '{"type":"bulk.completed"}'
  })
  assert.equal(forged.status, 401)
})

/** Runs the code as it stands in the document; returns what reads its next line of output. */
async function runDocumentedReceiver(environment: Record<string, string>) {
  const text = readFileSync(path.join(root, 'docs/webhooks.md'), 'utf8')
  const code = /```js\n([\s\S]*?)```/.exec(text)?.[1] ?? ''
  // Inside of the project, where the package that it imports is found.
  const folder = mkdtempSync(path.join(root, 'node_modules/.receiver-'))
  const file = path.join(folder, 'receiver.mjs')
  writeFileSync(file, `${code}\nconsole.log('listening')\n`)
  const child = spawn(process.execPath, [file], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit']
  })
  after(() => {
    child.kill()
    rmSync(folder, { recursive: true })
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const next = async () => (await lines.next()).value as string
  assert.equal(await next(), 'listening')
  return next
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
