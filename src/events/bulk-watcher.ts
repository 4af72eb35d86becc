import type { Context } from '../context.ts'
import { selectBulkEvents } from './read-bulk-events.ts'

type Key = { organization_id: number; bulk_id: string }

/** What the watchers of one bulk share: its events so far, as they are sent, and who waits for more. */
interface Watched {
  key: Key
  found: boolean
  completed: boolean
  events: { version: number; text: string }[]
  watchers: number
  /** Resolves when there is something to send. */
  next: PromiseWithResolvers<void>
  /** Resolves after the first look. */
  looked: Promise<void>
}

/** Something is sent this often, so that nobody between takes a silent connection for a dead one. */
const heartbeatMs = 15_000
const heartbeat = ':\n\n'
/** Whoever watches for longer connects again, and so shows anew that it may. */
const longestMs = 600_000

/** Of all connections that there may be, an organization keeps at most a quarter: others want to come in, too. */
const mostWatchers = ({ settings }: Context) => Math.ceil(settings.MAX_CONNECTIONS / 4)

type Watching =
  | { outcome: 'watching'; events: AsyncGenerator<string> }
  /** The bulk is final, and everything was had before; or nobody is there to be told. */
  | { outcome: 'over' }
  | { outcome: 'not-found' }
  /** The organization has as many watchers as it may have. */
  | { outcome: 'too-many' }

/**
 * Lets any number of clients watch a bulk at the cost of one: while somebody watches it in this process, one look after
 * the other is made for all, and its events are kept once, as text. Each watcher takes what it has not had as fast as
 * its connection does; one that never reads holds nothing but its place.
 */
export class BulkWatcher {
  readonly #context: Context
  readonly #watched = new Map<string, Watched>()
  #closed = false

  constructor(context: Context) {
    this.#context = context
  }

  /** A bulk's events behind a version as server-sent events, up to its end. The signal tells that the client has gone. */
  async watch(key: Key, after: number, gone: AbortSignal): Promise<Watching> {
    if (gone.aborted) return { outcome: 'over' }
    if (this.#countWatchers(key.organization_id) >= mostWatchers(this.#context))
      return { outcome: 'too-many' }
    const name = `${key.organization_id}/${key.bulk_id}`
    const watched = this.#watched.get(name) ?? this.#begin(name, key)
    watched.watchers += 1
    gone.addEventListener('abort', () => (watched.watchers -= 1), { once: true })
    await watched.looked
    if (!watched.found) return { outcome: 'not-found' }
    const isNew = (event: { version: number }) => event.version > after
    if (watched.completed && !watched.events.some(isNew)) return { outcome: 'over' }
    return { outcome: 'watching', events: this.#follow(watched, after, gone) }
  }

  /** Ends every watch; clients that connect again go on where they were. */
  close(): void {
    this.#closed = true
    for (const watched of this.#watched.values()) tell(watched)
  }

  #countWatchers(organizationId: number): number {
    const own = this.#watched.values().filter(({ key }) => key.organization_id === organizationId)
    return own.reduce((sum, { watchers }) => sum + watchers, 0)
  }

  async *#follow(watched: Watched, after: number, gone: AbortSignal): AsyncGenerator<string> {
    const { clock } = this.#context
    const endMs = clock.elapsedMs() + longestMs
    const first = watched.events.findIndex(({ version }) => version > after)
    let place = first === -1 ? watched.events.length : first
    // The answer begins with it, also when there is nothing to tell yet; a client that is cut off waits this long.
    yield 'retry: 2000\n\n'
    for (;;) {
      const { next, completed } = watched
      while (place < watched.events.length) yield watched.events[place++]?.text ?? ''
      if (completed || this.#closed || gone.aborted || clock.elapsedMs() > endMs) return
      await next.promise
      if (place === watched.events.length) yield heartbeat
    }
  }

  #begin(name: string, key: Key): Watched {
    const next: Watched['next'] = Promise.withResolvers()
    const looked = Promise.resolve()
    const watched: Watched = { key, found: false, completed: false, events: [], watchers: 0, next, looked }
    this.#watched.set(name, watched)
    watched.looked = this.#look(watched)
    void this.#keepLooking(watched, () => this.#watched.delete(name))
    return watched
  }

  async #keepLooking(watched: Watched, forget: () => void): Promise<void> {
    const { clock, settings, log } = this.#context
    // Whoever asked for the first look is told of what it fails with.
    await watched.looked.catch(() => undefined)
    let toldMs = clock.elapsedMs()
    while (watched.found && watched.watchers > 0 && !watched.completed && !this.#closed) {
      await clock.sleep(settings.POLL_MS / 4)
      const count = watched.events.length
      await this.#look(watched).catch((error: unknown) => {
        log.warn(
          { err: error },
          'a bulk that is watched could not be looked at; it is tried again in a moment'
        )
      })
      if (watched.events.length === count && clock.elapsedMs() - toldMs < heartbeatMs) continue
      toldMs = clock.elapsedMs()
      tell(watched)
    }
    // In the same instant: whoever comes now begins anew.
    forget()
    tell(watched)
  }

  /** Adds what is new. The last event of a version carries it as the id, so that a version is had whole or read again. */
  async #look(watched: Watched): Promise<void> {
    const { key, events } = watched
    const db = this.#context.db.forOrganization(key.organization_id)
    const rows = await selectBulkEvents(db, { ...key, after: events.at(-1)?.version ?? 0 })
    for (const [index, { type, version, occurred_at, data }] of rows.entries()) {
      if (type === null || version === null) continue
      const id = rows[index + 1]?.version === version ? '' : `id: ${version}\n`
      const content = JSON.stringify({ type, version, occurred_at: occurred_at?.toISOString(), data })
      events.push({ version, text: `${id}event: ${type}\ndata: ${content}\n\n` })
    }
    watched.found = rows.length > 0
    watched.completed = rows[0]?.completed ?? false
  }
}

/** Wakes whoever waits, and lets those that come wait for the next time. */
function tell(watched: Watched): void {
  const { next } = watched
  watched.next = Promise.withResolvers()
  next.resolve()
}
