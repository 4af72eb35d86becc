import { hash } from 'node:crypto'
import { RateLimiterMemory, RateLimiterPostgres, type RateLimiterAbstract } from 'rate-limiter-flexible'
import type { Context } from '../context.ts'
import type { Caller } from './caller.ts'

/** What a caller may still do until its minute ends. */
export interface Allowance {
  name: string
  limit: number
  remaining: number
  resets_s: number
}

export interface Spending {
  /** The allowance that is not enough; null if all are. */
  short: Allowance | null
  allowances: Allowance[]
}

export interface Limits {
  /** Counts a request of a caller. */
  spendRequest(caller: Caller): Promise<Spending>
  /** Counts transfers that a caller submits; what is refused by its limits is not counted. */
  spendTransfers(caller: Caller, count: number): Promise<Spending>
  /** Refuses a big body of a caller that was just told to wait, before it is read: reading is what costs. */
  checkBigBody(caller: Caller): Promise<Spending>
  /**
   * For how many seconds nobody is let in from an address that sent too many wrong credentials; 0 if it may try.
   * Credentials that were right when they last came from there may: they are no guess, and others share the address.
   */
  blockedFor(address: string, credentials: string): Promise<number>
  countFailure(address: string, credentials: string): Promise<void>
  noteSuccess(address: string, credentials: string): void
}

/** Seconds after which a limit begins anew. */
export const window_s = 60

/** Right credentials that are remembered, with where they came from. */
const mostRemembered = 10_000

/** Counts what callers do. In memory, a process counts what it sees; in PostgreSQL all of them count together. */
export function createLimits(context: Context): Limits {
  const { FAILED_AUTHENTICATIONS_PER_MINUTE: mostFailures } = context.settings
  const counters = createCounters(context)
  const keepBack = createPatience(context)
  const exhausted = createExhausted(keepBack)
  const failures = new RateLimiterMemory({ points: mostFailures, duration: window_s })
  const right = new Set<string>()
  return {
    async spendRequest(caller) {
      const pots = potsOf(context, caller, 'requests')
      return (await exhausted.find(pots)) ?? exhausted.note(pots, await spend(counters, pots, 1))
    },
    async spendTransfers(caller, count) {
      const pots = potsOf(context, caller, 'transfers')
      return exhausted.note(pots, await spend(counters, pots, count, { giveBack: true }))
    },
    async checkBigBody(caller) {
      const known = await exhausted.find(potsOf(context, caller, 'transfers'))
      return known ?? { short: null, allowances: [] }
    },
    async blockedFor(address, credentials) {
      const network = networkOf(address)
      const found = await failures.get(network)
      if (found === null || found.consumedPoints < mostFailures) return 0
      if (right.has(digest(network, credentials))) return 0
      await keepBack(network)
      return seconds(found.msBeforeNext)
    },
    async countFailure(address, credentials) {
      const network = networkOf(address)
      right.delete(digest(network, credentials))
      await failures.penalty(network)
    },
    noteSuccess(address, credentials) {
      const entry = digest(networkOf(address), credentials)
      right.delete(entry)
      right.add(entry)
      const [longestUnused] = right
      if (right.size > mostRemembered && longestUnused !== undefined) right.delete(longestUnused)
    }
  }
}

/** Milliseconds that a refusal is kept back for each one before it, and at most; and how many at one time. */
const patience = { step_ms: 5, most_ms: 1000, mostAtOnce: 500 }

/**
 * Who asks on although it was told when to come back is refused the later the more often it does within a minute: a client
 * that waits for its answers then costs one look-up a second, and not all that a processor can do.
 */
function createPatience({ clock }: Context) {
  const refusals = new RateLimiterMemory({ points: Number.MAX_SAFE_INTEGER, duration: window_s })
  let waiting = 0
  return async (whose: string): Promise<void> => {
    const { consumedPoints } = await refusals.penalty(whose)
    if (consumedPoints === 1 || waiting >= patience.mostAtOnce) return
    waiting += 1
    await clock
      .sleep(Math.min(patience.most_ms, (consumedPoints - 1) * patience.step_ms))
      .finally(() => (waiting -= 1))
  }
}

/** Remembers who has used everything up, so that it is refused without asking the database again. */
function createExhausted(keepBack: (whose: string) => Promise<void>) {
  const exhausted = new RateLimiterMemory({ points: 1, duration: window_s })
  return {
    async find(pots: Pot[]): Promise<Spending | null> {
      for (const { key, name, limit } of pots) {
        const blocked = await exhausted.get(key)
        if (!blocked) continue
        await keepBack(key)
        const short = { name, limit, remaining: 0, resets_s: seconds(blocked.msBeforeNext) }
        return { short, allowances: [short] }
      }
      return null
    },
    async note(pots: Pot[], spending: Spending): Promise<Spending> {
      const { short } = spending
      const pot = pots.find(({ name }) => name === short?.name)
      if (!short || !pot) return spending
      await exhausted.block(pot.key, short.resets_s)
      await keepBack(pot.key)
      return spending
    }
  }
}

interface Pot {
  key: string
  name: string
  limit: number
}

/** The key's share comes first, so that a key that has used it up takes nothing from the others of its organization. */
function potsOf({ settings }: Context, caller: Caller, what: 'requests' | 'transfers'): Pot[] {
  if (caller.limits === null) return []
  const own = what === 'requests' ? caller.limits.requests_per_minute : caller.limits.transfers_per_minute
  const most = own ?? (what === 'requests' ? settings.REQUESTS_PER_MINUTE : settings.TRANSFERS_PER_MINUTE)
  const organization = caller.organization_id ?? 'operators'
  const share = Math.ceil((most * settings.KEY_SHARE_PERCENT) / 100)
  return [
    { key: `${what}:${organization}:${caller.actor}`, name: `key-${what}`, limit: share },
    { key: `${what}:${organization}`, name: what, limit: most }
  ]
}

async function spend(
  counters: RateLimiterAbstract,
  pots: Pot[],
  count: number,
  options: { giveBack?: boolean } = {}
): Promise<Spending> {
  const allowances: Allowance[] = []
  const taken: string[] = []
  for (const { key, name, limit } of pots) {
    const { consumedPoints, msBeforeNext } = await counters.penalty(key, count)
    taken.push(key)
    const isShort = consumedPoints > limit
    const left = limit - consumedPoints + (isShort && options.giveBack ? count : 0)
    const allowance = { name, limit, remaining: Math.max(0, left), resets_s: seconds(msBeforeNext) }
    allowances.push(allowance)
    if (!isShort) continue
    if (options.giveBack) for (const other of taken) await counters.reward(other, count)
    return { short: allowance, allowances }
  }
  return { short: null, allowances }
}

/** While PostgreSQL is away each process counts by itself. */
function createCounters({ settings, db }: Context): RateLimiterAbstract {
  const options = { points: Number.MAX_SAFE_INTEGER, duration: window_s, keyPrefix: 'bulkhead' }
  const memory = new RateLimiterMemory(options)
  if (settings.LIMITS_STORE === 'memory') return memory
  return new RateLimiterPostgres({
    ...options,
    storeClient: db,
    storeType: 'client',
    tableName: 'rate_limit',
    tableCreated: true,
    insuranceLimiter: memory
  })
}

/** What tells credentials from an address apart without being kept itself. */
function digest(network: string, credentials: string): string {
  return hash('sha256', `${network} ${credentials}`, 'base64')
}

/** An address, or for IPv6 the 64 bits that one customer of a provider is given. */
function networkOf(address: string): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return address
  const [head = '', tail = ''] = address.split('::')
  const groups = head.split(':')
  const missing = 8 - groups.length - tail.split(':').length
  return [...groups, ...Array.from({ length: Math.max(0, missing) }, () => '0'), ...tail.split(':')]
    .slice(0, 4)
    .join(':')
}

function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000))
}
