import assert from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { after, before, describe, it, type TestContext as Test } from 'node:test'
import { pino } from 'pino'
import type { Broker } from '../../src/broker/broker.ts'
import {
  createRabbitmqBroker,
  probeRabbitmq,
  queueName,
  queueOptions
} from '../../src/broker/rabbitmq-broker.ts'
import { Worker } from '../../src/execution/worker.ts'
import { readBulkStatus } from '../../src/transfers/read-bulk.ts'
import { submitBulk } from '../../src/transfers/submit-bulk.ts'
import { findFreePorts } from '../support/ports.ts'
import { until } from '../e2e/processes.ts'
import { aBulk, anOrganization } from '../support/builders.ts'
import { createTestContext } from '../support/context.ts'
import { createTestDatabase } from '../support/database.ts'
import {
  skipWithoutRabbitmq as skip,
  startRabbitmq,
  withChannel,
  type RabbitmqNode
} from '../support/rabbitmq.ts'
import { startLine } from '../support/line.ts'
import { announceAgain, describeBroker, hint, listenTo } from './broker-conformance.ts'

let node: RabbitmqNode
before(async () => {
  if (skip === false) node = await startRabbitmq()
})
after(() => (skip === false ? node.remove() : undefined))

/** A log of which a test reads what it was told. */
function recordingLog() {
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })
  return { log, told: (words: string) => lines.filter((line) => line.includes(words)) }
}

async function openConnected(t: Test, url: string) {
  const { log, told } = recordingLog()
  const broker = createRabbitmqBroker(url, log)
  t.after(() => broker.close())
  await until('connected', () => told('connected to RabbitMQ').length > 0)
  return { broker, told }
}

/**
 * The queue is shared by all; hints that a test leaves would wake the next one. Emptied, not deleted: RabbitMQ 3.10
 * that is killed finds no leader for a queue that had been deleted and declared again.
 */
const emptyQueue = () =>
  withChannel(node.url, async (channel) => {
    await channel.assertQueue(queueName, queueOptions)
    await channel.purgeQueue(queueName)
  })
const deleteQueue = () => withChannel(node.url, (channel) => channel.deleteQueue(queueName))

async function expectToCarryHints(sender: Broker, receiver: Awaited<ReturnType<typeof listenTo>>) {
  const woken = receiver.next()
  await announceAgain(sender)
  await woken
}

describeBroker(
  'RabbitMQ',
  async (t) => {
    await emptyQueue()
    const line = await startLine(node.port)
    t.after(() => line.close())
    return {
      open: async () => (await openConnected(t, `amqp://127.0.0.1:${line.port}`)).broker,
      cut: () => {
        line.cut()
        return Promise.resolve()
      }
    }
  },
  { skip }
)

describe('the broker on RabbitMQ', () => {
  for (const wiped of [false, true])
    it(`goes on when RabbitMQ was killed, ${wiped ? 'wiped ' : ''}and started again`, { skip }, async (t) => {
      await emptyQueue()
      const [sender, receiver] = [await openConnected(t, node.url), await openConnected(t, node.url)]
      const listener = await listenTo(receiver.broker)
      await expectToCarryHints(sender.broker, listener)

      await node.kill()
      await until('the loss is noticed', () => sender.told('lost RabbitMQ').length > 0)
      await assert.rejects(sender.broker.announce(hint), /not connected to RabbitMQ/)
      if (wiped) node.wipe()
      const back = listener.next()
      await node.start()
      await back

      await expectToCarryHints(sender.broker, listener)
    })

  it('drops what is no hint, tells so without its content, and goes on', { skip }, async (t) => {
    await emptyQueue()
    const { broker, told } = await openConnected(t, node.url)
    const listener = await listenTo(broker)
    await withChannel(node.url, (channel) => {
      for (const poison of ['secret', '{"secret"', '{"version":2,"organization_id":1,"bulk_no":"7"}', ''])
        channel.sendToQueue(queueName, Buffer.from(poison), { persistent: true })
      return channel.waitForConfirms()
    })
    await until('all were told', () => told('that is no hint').length === 4)
    assert.equal(listener.calls(), 0)
    assert.deepEqual(told('secret'), [])
    await expectToCarryHints(broker, listener)
    // Unconfirmed, they would be back in the queue.
    await broker.close()
    await until('the queue is empty', () =>
      withChannel(node.url, async (channel) => (await channel.checkQueue(queueName)).messageCount === 0)
    )
  })

  it('rejects an announcement that is never confirmed, and can be closed', { skip }, async (t) => {
    await emptyQueue()
    const line = await startLine(node.port)
    t.after(() => line.close())
    const { broker } = await openConnected(t, `amqp://127.0.0.1:${line.port}`)
    await line.harm({ kind: 'hole', direction: 'down' })
    const startedAt = performance.now()
    await assert.rejects(broker.announce(hint), /did not confirm a message within 5000 ms/)
    await broker.close()
    assert.ok(performance.now() - startedAt < 30_000)
  })

  it('neither waits for a server that never says a word nor crashes by it', async (t) => {
    const sockets: { destroy: () => void }[] = []
    const server = createServer((socket) => void sockets.push(socket.on('error', () => undefined)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => server.close())
    const url = `amqp://127.0.0.1:${(server.address() as AddressInfo).port}`
    const broker = createRabbitmqBroker(url, recordingLog().log)
    await until('it has connected', () => sockets.length === 1)
    const startedAt = performance.now()
    await listenTo(broker)
    await assert.rejects(broker.announce(hint), /not connected to RabbitMQ/)
    await broker.close()
    assert.ok(performance.now() - startedAt < 30_000)
    for (const socket of sockets) socket.destroy()
  })

  it('can be probed: it is there, or the password is wrong', { skip }, async () => {
    await probeRabbitmq(node.url)
    const url = node.url.replace('amqp://', 'amqp://guest:wrong@')
    await assert.rejects(probeRabbitmq(url), /ACCESS_REFUSED|403/)
  })

  it('tells once that nobody answers, without the password, and tries again', async (t) => {
    const [port] = await findFreePorts(1)
    const { log, told } = recordingLog()
    const broker = createRabbitmqBroker(`amqp://me:secret@127.0.0.1:${port}`, log)
    t.after(() => broker.close())
    await until('told', () => told('no connection to RabbitMQ').length > 0)
    const connections: unknown[] = []
    const server = createServer((socket) => void connections.push(socket.destroy()))
    server.listen(port, '127.0.0.1')
    t.after(() => server.close())
    await until('it has tried three times more', () => connections.length >= 3)
    assert.equal(told('').length, 1)
    assert.deepEqual(told('secret'), [])
  })

  it('declares its queue again when somebody deleted it', { skip }, async (t) => {
    await emptyQueue()
    const sender = await openConnected(t, node.url)
    await deleteQueue()
    await assert.rejects(sender.broker.announce(hint))
    const receiver = await openConnected(t, node.url)
    const listener = await listenTo(receiver.broker)
    await expectToCarryHints(sender.broker, listener)
    const back = listener.next()
    await deleteQueue()
    await back
    await expectToCarryHints(sender.broker, listener)
  })
})

describe('a bulk', () => {
  /** A process that accepts a bulk and another one with a worker, on one database. */
  async function execute(t: Test, options: { sender: Broker; receiver: Broker; pollMs: number }) {
    const database = await createTestDatabase()
    const api = { ...createTestContext(database), broker: options.sender }
    const context = createTestContext(database, { POLL_MS: options.pollMs })
    const worker = new Worker({ ...context, broker: options.receiver }, 'a')
    await worker.start()
    t.after(() => worker.stop())
    const listener = await listenTo(options.receiver)
    const organizationId = await anOrganization(database.db)
    const bulk = aBulk({ transfers: 10, amount: '1.00' })
    const submission = await submitBulk(api, organizationId, bulk)
    assert.equal(submission.outcome, 'accepted')
    await until(
      'the bulk is paid',
      async () => (await readBulkStatus(database.db, organizationId, bulk.request_id))?.status === 'COMPLETED'
    )
    assert.equal(context.bank.executed.size, 10)
    return listener.calls()
  }

  it('is executed at once by a worker that looks for work every minute only', { skip }, async (t) => {
    await emptyQueue()
    const [sender, receiver] = [await openConnected(t, node.url), await openConnected(t, node.url)]
    const calls = await execute(t, {
      sender: sender.broker,
      receiver: receiver.broker,
      pollMs: 60_000
    })
    assert.equal(calls, 1)
  })

  it('is executed without RabbitMQ by workers that look for work', async (t) => {
    const [port] = await findFreePorts(1)
    const broker = createRabbitmqBroker(`amqp://127.0.0.1:${port}`, recordingLog().log)
    t.after(() => broker.close())
    const calls = await execute(t, { sender: broker, receiver: broker, pollMs: 50 })
    assert.equal(calls, 0)
  })
})
