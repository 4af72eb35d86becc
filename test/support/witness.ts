import { isDeepStrictEqual } from 'node:util'
import { Webhook } from 'standardwebhooks'
import { startReceiver, type Received } from './receiver.ts'

interface Told {
  type: string
  data: Content & { position: number }
}
type Content = Record<string, unknown> & { bulk_id: string }

/** One attempt, as its receiver had it. */
export interface Arrival extends Told {
  webhook_id: string
  body: string
  /** Whether it was answered with 204. */
  taken: boolean
}

/** What a receiver makes of an attempt; whoever says nothing keeps the connection. */
export type Reaction = 'takes it' | 'fails' | 'hangs up' | 'says nothing'

const takesEverything: (told: Told) => Reaction = () => 'takes it'

/** A webhook endpoint that writes down every attempt, and verifies it with the specification's own package. */
export async function startWitness(options: { port?: number } = {}) {
  const receiver = await startReceiver(options)
  const witness = {
    url: receiver.url,
    port: receiver.port,
    /** Told by whoever opens the endpoint. */
    secret: '',
    arrivals: [] as Arrival[],
    /** What was not signed as it has to be. */
    forged: [] as string[],
    react: takesEverything
  }
  receiver.answer = (received, response) => {
    const told = verify(witness.secret, received)
    if (told === null) witness.forged.push(received.body)
    const reaction = told === null ? 'fails' : witness.react(told)
    const webhook_id = String(received.headers['webhook-id'])
    const taken = reaction === 'takes it'
    if (told !== null) witness.arrivals.push({ ...told, webhook_id, body: received.body, taken })
    if (reaction === 'hangs up') response.destroy()
    else if (reaction !== 'says nothing') response.writeHead(taken ? 204 : 500).end()
  }
  return witness
}
export type Witness = Awaited<ReturnType<typeof startWitness>>

function verify(secret: string, { body, headers }: Received): Told | null {
  try {
    return new Webhook(secret).verify(body, headers as Record<string, string>) as Told
  } catch {
    return null
  }
}

/** An event of the feed. */
export interface FedEvent {
  type: string
  position: number
  version: number
  data: Content
}

/** Reads the feed from its beginning to its end. */
export async function readFeed(get: (path: string) => Promise<{ body: unknown }>): Promise<FedEvent[]> {
  const events: FedEvent[] = []
  for (let after = 0; ;) {
    const page = (await get(`/events?after=${after}&limit=1000`)).body as Page
    events.push(...page.data)
    if (!page.has_more) return events
    after = page.next_after
  }
}
interface Page {
  data: FedEvent[]
  has_more: boolean
  next_after: number
}

/** How many events a witness has taken. */
export function countTaken({ arrivals }: Witness): number {
  return new Set(arrivals.filter(({ taken }) => taken).map(({ data }) => data.position)).size
}

/**
 * Holds what arrived to the feed: every event was taken, as it is there, under one webhook-id however often it was
 * sent; nothing else was sent, and nothing without its signature. Returns what cannot be.
 */
export function judgeArrivals({ arrivals, forged }: Witness, feed: FedEvent[]): string[] {
  const fed = new Map(feed.map((event) => [event.position, event]))
  const sent = Map.groupBy(arrivals, ({ data }) => data.position)
  const contents = Map.groupBy(arrivals, ({ webhook_id }) => webhook_id)
  return [
    ...forged.map((body) => `this was not signed: ${body}`),
    ...feed
      .filter(({ position }) => !sent.get(position)?.some(({ taken }) => taken))
      .map((event) => `it was never told: ${JSON.stringify(event)}`),
    ...[...sent]
      .filter(([, same]) => new Set(same.map(({ webhook_id }) => webhook_id)).size > 1)
      .map(([position]) => `position ${position} was sent under two webhook-ids`),
    ...[...contents]
      .filter(([, same]) => new Set(same.map(({ body }) => body)).size > 1)
      .map(([webhook_id]) => `${webhook_id} had two contents`),
    ...arrivals
      .filter((arrival) => !tells(arrival, fed.get(arrival.data.position)))
      .map(({ body }) => `the feed does not say so: ${body}`)
  ]
}

/** Whether a webhook tells an event as the feed does, with where to look beside it. */
function tells({ type, data }: Arrival, event: FedEvent | undefined): boolean {
  if (event === undefined) return false
  const { status_url, transfers_url, ...told } = data
  const { position, version } = event
  const bulk = `/transfers/bulk/${told.bulk_id}`
  return (
    type === event.type &&
    status_url === `${bulk}/status` &&
    transfers_url === `${bulk}/transfers` &&
    isDeepStrictEqual(told, { ...event.data, version, position })
  )
}

/**
 * Holds the feed to what GET says of each bulk: accepted first and once, ended once, its versions in order; and its end
 * is what GET says at that version. Returns what cannot be.
 */
export function judgeFeed(feed: FedEvent[], statuses: Map<string, Record<string, unknown>>): string[] {
  const told = Map.groupBy(feed, ({ data }) => data.bulk_id)
  const unheardOf = [...told.keys()].filter((id) => !statuses.has(id)).map((id) => `${id} is told of`)
  return [
    ...unheardOf,
    ...[...statuses].flatMap(([id, status]) => {
      const events = told.get(id) ?? []
      const types = events.map(({ type }) => type)
      const [end, ...others] = events.filter(({ type }) => type === 'bulk.completed')
      if (types.indexOf('bulk.accepted') !== 0 || types.lastIndexOf('bulk.accepted') !== 0)
        return [`${id}: it was told as ${types.join()}`]
      if (events.some(({ version }, index) => version < (events[index - 1]?.version ?? 0)))
        return [`${id}: versions ${events.map(({ version }) => version).join()}`]
      if (end === undefined || others.length > 0) return [`${id}: ${others.length} ends too many`]
      return isEndOf(end, status) ? [] : [`${id}: told ${JSON.stringify(end)}, is ${JSON.stringify(status)}`]
    })
  ]
}

/** What comes after the end of a bulk, such as returns, makes another version of it and changes nothing else. */
function isEndOf({ data, version }: FedEvent, status: Record<string, unknown>): boolean {
  const later = Number(status['version']) > version ? { version, returned: data['returned'] } : {}
  // Whether somebody should look is a matter of time, and not told.
  const { needs_attention } = status
  return isDeepStrictEqual({ ...data, needs_attention }, { ...status, ...later })
}
