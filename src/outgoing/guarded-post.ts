import { Resolver } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { Client } from 'undici'
import {
  knownAddresses,
  portOf,
  readReceiver,
  refuseAddress,
  type ReceiverPolicy
} from '../domain/receiver-address.ts'
import type { Outgoing, OutgoingAnswer, OutgoingCall } from './outgoing.ts'

export interface GuardedPostOptions {
  policy: ReceiverPolicy
  /** For everything from the name's look-up to the last byte that is read. */
  timeout_ms: number
  /** Addresses of a name; none if it has none. Unset: what the name servers say, never the hosts file. */
  resolve?: (name: string) => Promise<string[]>
}

/** How much of an answer is read and kept; it may be of any length. */
const keptBytes = 1_000

/**
 * Posts to where a customer wants it. The name is resolved once, each of its addresses has to be allowed, and only
 * these are connected to, under the name. Redirects are answers like others. A connection serves one call.
 */
export function createGuardedPost(options: GuardedPostOptions): Outgoing {
  const { policy, timeout_ms, resolve = resolveName } = options
  return {
    async post(call) {
      const read = readReceiver(call.url, policy)
      if (read.outcome === 'refused') return read
      const { url } = read
      const signal = AbortSignal.timeout(timeout_ms)
      try {
        const known = knownAddresses(url.hostname)
        const addresses = known.length > 0 ? known : await inTime(resolve(url.hostname), signal)
        if (addresses.length === 0) return { outcome: 'refused', cause: 'name-not-resolved' }
        for (const address of addresses) {
          const cause = refuseAddress(address, portOf(url), policy)
          if (cause !== null) return { outcome: 'refused', cause }
        }
        return await send({ url, addresses, signal, timeout_ms }, call)
      } catch (error) {
        return { outcome: 'failed', cause: describe(error) }
      }
    }
  }
}

/** By Node's own resolver: the system's would keep one of four threads, which others need, as long as it waits. */
async function resolveName(name: string): Promise<string[]> {
  const resolver = new Resolver({ timeout: 3_000, tries: 2 })
  const found = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)])
  return found.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
}

interface Route {
  url: URL
  addresses: string[]
  signal: AbortSignal
  timeout_ms: number
}

async function send(
  { url, addresses, signal, timeout_ms }: Route,
  call: OutgoingCall
): Promise<OutgoingAnswer> {
  const client = new Client(url.origin, {
    connect: { lookup: pinnedTo(addresses), autoSelectFamily: true, timeout: timeout_ms },
    headersTimeout: timeout_ms,
    bodyTimeout: timeout_ms,
    // Some receivers close at the sight of an offer that they do not know.
    allowH2: false
  })
  try {
    const { statusCode, headers, body } = await client.request({
      method: 'POST',
      path: url.pathname + url.search,
      headers: call.headers,
      body: call.body,
      signal
    })
    const { 'retry-after': after } = headers
    return {
      outcome: 'answered',
      status: statusCode,
      retry_after: typeof after === 'string' ? after : null,
      body_start: await readStart(body)
    }
  } finally {
    await client.destroy()
  }
}

/** What is connected to is what was allowed, whatever the name's servers say by now. */
function pinnedTo(addresses: string[]): LookupFunction {
  const pinned = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  return (_, { all }, callback) => {
    const [first] = pinned
    if (all === true) callback(null, pinned)
    else callback(null, first?.address ?? '', first?.family)
  }
}

/** The status has been told: what cannot be read of the rest changes nothing. */
async function readStart(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of body) {
      chunks.push(chunk)
      size += chunk.length
      if (size >= keptBytes) break
    }
  } catch {
    // It was cut off, or took too long.
  }
  return Buffer.concat(chunks).subarray(0, keptBytes).toString('utf8')
}

function inTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    work.then(resolve, reject)
  })
}

/** A word for what went wrong: the system's code for it, if there is one. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'error'
  if (error instanceof AggregateError && error.errors.length > 0) return describe(error.errors[0])
  if (error.name === 'TimeoutError') return 'timeout'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
