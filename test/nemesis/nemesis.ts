import { setTimeout as sleep } from 'node:timers/promises'
import { sendSignal } from '../e2e/processes.ts'
import type { LineFault } from '../support/line.ts'
import type { Random } from '../support/random.ts'
import type { Service } from './service.ts'
import { servicesOf, type World } from './world.ts'

/** Something bad that happens to one target, and its end. */
interface Mischief {
  target: string
  what: string
  /** The longest that it may last. */
  longestMs: number
  begin: () => Promise<void> | void
  end: () => Promise<void> | void
}

const shortMs = 6_000
/** Long enough for a lease to run out under whoever sleeps. */
const longMs = 20_000
/** At one time: with more of them nothing is ever done, and so nothing is tried. */
const mostAtOnce = 3

/**
 * Does something bad every few seconds, a quarter of the times nothing, until it is stopped; then everything is mended.
 * What it does follows from the seed, when exactly from the machine.
 */
export class Nemesis {
  /** What it did, with the seconds since the start. */
  readonly log: string[] = []
  readonly counts = new Map<string, number>()
  readonly #world: World
  readonly #random: Random
  readonly #startedAt = performance.now()
  readonly #stopping = new AbortController()
  readonly #busy = new Set<string>()
  readonly #ends: Promise<void>[] = []

  constructor(world: World, random: Random) {
    this.#world = world
    this.#random = random
  }

  /** Returns when the time is over and everything works again, as far as it can be mended from outside. */
  async rage(durationMs: number, tell: (line: string) => void): Promise<void> {
    const endsAt = performance.now() + durationMs
    while (performance.now() < endsAt) {
      if (this.#random.fraction() >= 0.25 && this.#busy.size < mostAtOnce) this.#harm(tell)
      await sleep(500 + this.#random.below(2_500))
    }
    this.#stopping.abort()
    await Promise.all(this.#ends)
    this.#note('mended', tell)
  }

  #harm(tell: (line: string) => void): void {
    let mischief: Mischief
    do mischief = this.#random.pick(kinds)(this.#world, this.#random)
    while (this.#busy.has(mischief.target))
    const durationMs = 500 + this.#random.below(mischief.longestMs)
    this.#busy.add(mischief.target)
    this.counts.set(mischief.what, (this.counts.get(mischief.what) ?? 0) + 1)
    this.#note(`${mischief.target}: ${mischief.what} for ${durationMs} ms`, tell)
    this.#ends.push(this.#live(mischief, durationMs))
  }

  async #live({ target, begin, end }: Mischief, durationMs: number): Promise<void> {
    await begin()
    await sleep(durationMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
    await end()
    this.#busy.delete(target)
  }

  #note(what: string, tell: (line: string) => void): void {
    const line = `${((performance.now() - this.#startedAt) / 1000).toFixed(1)} s  ${what}`
    this.log.push(line)
    tell(line)
  }
}

type Kind = (world: World, random: Random) => Mischief

const nothing = (): void => undefined

/** As likely as it is often named here. */
const kinds: Kind[] = [
  onService('killed and started again', shortMs, { begin: (service) => service.signal('SIGKILL') }),
  onService('killed and held down', shortMs, {
    begin(service) {
      service.hold()
      service.signal('SIGKILL')
    },
    end: (service) => service.release()
  }),
  onService('told to stop and started again', shortMs, { begin: (service) => service.signal('SIGTERM') }),
  onService('paused', shortMs, {
    begin: (service) => service.signal('SIGSTOP'),
    end: (service) => service.signal('SIGCONT')
  }),
  onService('paused for long', longMs, {
    begin: (service) => service.signal('SIGSTOP'),
    end: (service) => service.signal('SIGCONT')
  }),
  onPostgres('postmaster killed', 'SIGKILL', (_, world) => world.postgres.postmaster()),
  onPostgres('immediate shutdown', 'SIGQUIT', (_, world) => world.postgres.postmaster()),
  onPostgres('one of its processes killed', 'SIGKILL', pickBackend),
  onPostgres('one of its sessions ended', 'SIGTERM', pickBackend),
  onLine('refused', () => ({ kind: 'refuse' })),
  onLine('reset before the request', () => ({ kind: 'reset', before: 'request' })),
  onLine('reset before the answer', () => ({ kind: 'reset', before: 'answer' })),
  onLine('reset before the answer', () => ({ kind: 'reset', before: 'answer' })),
  onLine('delayed', (random) => ({ kind: 'delay', ms: 50 + random.below(500) })),
  onLine('dripping', (random) => ({ kind: 'drip', bytes: 20 + random.below(200), ms: 5 })),
  onLine('black hole for requests', () => ({ kind: 'hole', direction: 'up' })),
  onLine('black hole for answers', () => ({ kind: 'hole', direction: 'down' }))
]

function onService(
  what: string,
  longestMs: number,
  { begin, end }: { begin: (service: Service) => void; end?: (service: Service) => void }
): Kind {
  return (world, random) => {
    const service = random.pick(servicesOf(world))
    return {
      target: service.name,
      what,
      longestMs,
      begin: () => begin(service),
      end: () => end?.(service)
    }
  }
}

function onPostgres(
  what: string,
  signal: NodeJS.Signals,
  choose: (random: Random, world: World) => number | undefined
): Kind {
  return (world, random) => {
    const pid = choose(random, world)
    return {
      target: 'PostgreSQL',
      what,
      longestMs: 2_000,
      begin: pid === undefined ? nothing : () => sendSignal(pid, signal),
      end: () => world.postgres.revive()
    }
  }
}

function pickBackend(random: Random, { postgres }: World): number | undefined {
  const backends = postgres.backends()
  return backends.length === 0 ? undefined : random.pick(backends)
}

function onLine(what: string, choose: (random: Random) => LineFault): Kind {
  return (world, random) => {
    const [target, line] = random.pick([...world.lines])
    const fault = choose(random)
    const lose = random.fraction() < 0.5
    return {
      target,
      what,
      longestMs: shortMs,
      begin: () => line.harm(fault),
      end: () => line.mend({ lose })
    }
  }
}
