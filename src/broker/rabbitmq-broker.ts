import { setTimeout as pause } from 'node:timers/promises'
import { connect, type ConfirmChannel, type ConsumeMessage } from 'amqplib'
import { z } from 'zod'
import { backoffMs } from '../domain/backoff.ts'
import type { Log } from '../telemetry/log.ts'
import type { Broker, WorkHint } from './broker.ts'

export const queueName = 'bulkhead.work'

/**
 * Needs RabbitMQ 3.10 (quorum queues whose messages expire). A hint is worthless after 90 s, when every worker has
 * looked by itself whatever its POLL_MS; of very many hints the oldest are dropped. A queue can't be declared again
 * with other arguments: whoever changes them changes the name as well.
 */
export const queueOptions = {
  durable: true,
  arguments: {
    'x-queue-type': 'quorum',
    'x-delivery-limit': 5,
    'x-message-ttl': 90_000,
    'x-max-length': 10_000,
    'x-overflow': 'drop-head'
  }
}

const prefetch = 50
const openTimeoutMs = 10_000
const steadyMs = 10_000
const confirmTimeoutMs = 5_000
const closeTimeoutMs = 2_000

const messageSchema = z.object({ version: z.literal(1), organization_id: z.int(), bulk_no: z.string() })

/** One connection with one channel, from its being opened to its loss or end. */
interface Session {
  channel: ConfirmChannel
  blocked: boolean
  /** There was no such queue for a message: what the broker confirms then is that it has thrown it away. */
  queueGone: boolean
  /** Resolves, never rejects, when the connection is no more: with what went wrong first. */
  ended: Promise<unknown>
  /** Ends the connection at once, for what can't go on with it. */
  cut: (why: unknown) => void
  /** Ends the connection as the protocol wants it, or at once if the broker does not answer. */
  end: () => Promise<void>
}

/**
 * Hints by a quorum queue that all processes share: each wakes the listeners of one of them. Connects for ever, and
 * nobody waits for that: without a connection announce() rejects, and listeners are called when there is one again.
 */
export function createRabbitmqBroker(url: string, log: Log): Broker {
  const listeners = new Set<() => void>()
  const closing = new AbortController()
  const isClosed = (): boolean => closing.signal.aborted
  let session: Session | undefined
  let consuming = false

  const tellAll = (): void => {
    for (const listener of listeners) listener()
  }

  function consume(from: Session): void {
    consuming = true
    // Refused or lost, it ends with the session, and the next one tries again.
    consumeHints(from, tellAll, log).catch(from.cut)
  }

  async function keepConnected(): Promise<void> {
    for (let failures = 0; !isClosed(); failures += 1) {
      if (failures > 0) await backOff(failures, closing.signal)
      try {
        session = await openSession(url, closing.signal)
        const openedAt = performance.now()
        consuming = false
        if (isClosed()) await session.end()
        if (listeners.size > 0) consume(session)
        log.info('connected to RabbitMQ')
        // Hints of the time without a connection are lost, so there may be work.
        tellAll()
        const error = await session.ended
        if (!isClosed()) log.warn({ err: error }, 'lost RabbitMQ; connecting again')
        // A connection that is lost again and again is no reason to hurry.
        if (performance.now() - openedAt > steadyMs) failures = 0
      } catch (error) {
        // Told once for each time without a connection, not once every few seconds for a whole night.
        if (failures === 0 && !isClosed())
          log.warn({ err: error }, 'no connection to RabbitMQ; trying again and again')
      }
      session = undefined
    }
  }

  const connected = keepConnected()
  return {
    async announce(hint) {
      if (session === undefined || isClosed()) throw new Error('not connected to RabbitMQ')
      await publish(session, hint)
    },
    listen(listener) {
      if (isClosed()) return Promise.resolve()
      listeners.add(listener)
      if (session !== undefined && !consuming) consume(session)
      return Promise.resolve()
    },
    async close() {
      closing.abort()
      listeners.clear()
      await session?.end()
      await connected
    }
  }
}

/** Resolves if RabbitMQ is there and has, or takes, the queue; rejects with what is wrong. */
export async function probeRabbitmq(url: string): Promise<void> {
  const session = await openSession(url, new AbortController().signal)
  await session.end()
}

async function backOff(failures: number, signal: AbortSignal): Promise<void> {
  await pause(backoffMs(failures, Math.random(), 200, 5_000), undefined, { signal }).catch(() => undefined)
}

/** Connects and declares the queue; gives up when it takes too long or `closing` is aborted. */
async function openSession(url: string, closing: AbortSignal): Promise<Session> {
  const cutting = new AbortController()
  let failure: unknown
  const fail = (why: unknown): void => void (failure ??= why)
  const cut = (why: unknown): void => {
    fail(why)
    cutting.abort()
  }
  const opening = AbortSignal.any([closing, AbortSignal.timeout(openTimeoutMs)])
  const giveUp = (): void => cut(opening.reason)
  opening.addEventListener('abort', giveUp)
  try {
    opening.throwIfAborted()
    // The socket knows this option, the types of the library do not.
    const socketOptions = {
      signal: cutting.signal,
      noDelay: true,
      clientProperties: { connection_name: 'bulkhead' }
    }
    const model = await connect(withHeartbeat(url), socketOptions)
    const ended = new Promise<unknown>((resolve) => model.once('close', () => resolve(failure)))
    model.on('error', fail)
    const channel = await model.createConfirmChannel()
    channel.on('error', fail)
    // The broker closes a channel that did wrong, and leaves the connection; only both or none are of use.
    const cutToo = (): void => cut(new Error('the channel is closed'))
    channel.on('close', cutToo)
    await channel.assertQueue(queueName, queueOptions)
    await channel.prefetch(prefetch)

    const session: Session = { channel, blocked: false, queueGone: false, ended, cut, end }
    channel.on('return', () => {
      session.queueGone = true
      cut(queueIsGone())
    })
    model.on('blocked', () => (session.blocked = true))
    model.on('unblocked', () => (session.blocked = false))
    return session

    async function end(): Promise<void> {
      const timer = setTimeout(cut, closeTimeoutMs)
      channel.off('close', cutToo)
      // The channel first: the end of the connection overtakes what is still to be sent on a channel. It rejects if the
      // connection is lost already, and never settles if it is lost meanwhile.
      channel
        .close()
        .then(() => model.close())
        .catch(() => undefined)
      await ended
      clearTimeout(timer)
    }
  } catch (error) {
    cut(error)
    throw error
  } finally {
    opening.removeEventListener('abort', giveUp)
  }
}

/** A broker that has gone without a word is noticed after some 20 s; by its own wish it would be after 2 minutes. */
function withHeartbeat(url: string): string {
  const target = new URL(url)
  if (!target.searchParams.has('heartbeat')) target.searchParams.set('heartbeat', '10')
  return target.href
}

/** Calls `tell` at each hint. It is confirmed at once: what there is to do is in the database, not in the message. */
async function consumeHints({ channel, cut }: Session, tell: () => void, log: Log): Promise<void> {
  await channel.consume(queueName, (message: ConsumeMessage | null) => {
    if (message === null) {
      cut(queueIsGone())
    } else if (isHint(message.content)) {
      tell()
      channel.ack(message)
    } else {
      log.warn({ bytes: message.content.length }, 'dropped a message from RabbitMQ that is no hint')
      channel.reject(message, false)
    }
  })
}

/** Resolves when the broker says that it has the hint; rejects when it says otherwise or nothing for some seconds. */
function publish(session: Session, hint: WorkHint): Promise<void> {
  if (session.blocked) throw new Error('RabbitMQ is short of memory or disk and takes no messages')
  const { organization_id, bulk_no } = hint
  const content = Buffer.from(JSON.stringify({ version: 1, organization_id, bulk_no }))
  return new Promise((resolve, reject) => {
    session.channel.sendToQueue(
      queueName,
      content,
      { persistent: true, mandatory: true, contentType: 'application/json' },
      (error) => {
        clearTimeout(timer)
        if (error instanceof Error) reject(error)
        else if (session.queueGone) reject(queueIsGone())
        else resolve()
      }
    )
    // A queue without a leader confirms nothing for hours, and what is not confirmed takes memory until its channel ends.
    const timer = setTimeout(() => {
      const silence = new Error(`RabbitMQ did not confirm a message within ${confirmTimeoutMs} ms`)
      reject(silence)
      session.cut(silence)
    }, confirmTimeoutMs)
  })
}

/** The session ends then, and the next one declares the queue again. */
function queueIsGone(): Error {
  return new Error(`the queue ${queueName} is gone`)
}

function isHint(content: Buffer): boolean {
  try {
    return messageSchema.safeParse(JSON.parse(content.toString('utf8'))).success
  } catch {
    return false // not JSON
  }
}
