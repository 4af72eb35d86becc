import { createHmac } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import { backoffMs } from '../domain/backoff.ts'
import type { Notice } from './present-payment.ts'

export interface CallbackOptions {
  /** Unset: everything waits until it is known. */
  readonly url?: string
  readonly secret: string
}

interface Waiting {
  readonly notice: Notice
  readonly onTried: () => void
}

const LARGEST_BATCH = 100
const TIMEOUT_MS = 5000
const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 10_000

/**
 * Tells notices to one address, in order, one call at a time, each again until a 2xx takes it. What waits is in
 * memory only: a restarted bank leaves it to inquiries and the statement.
 */
export class Callbacks {
  #target: { pool: Pool; path: string } | undefined
  #secret: string
  #waiting: Waiting[] = []
  #sending: Promise<void> | undefined
  #stopped = new AbortController()

  constructor({ url, secret }: CallbackOptions) {
    this.#secret = secret
    if (url !== undefined) this.tellTo(url)
  }

  /** Tells what waits and all that comes to this address. */
  tellTo(url: string): void {
    const { origin, pathname, search } = new URL(url)
    void this.#target?.pool.close()
    this.#target = { pool: new Pool(origin, { connections: 1 }), path: `${pathname}${search}` }
    if (this.#waiting.length > 0) this.#sending ??= this.#sendWaiting()
  }

  /** Settles once the notice was tried for the first time, taken or not; never rejects. */
  tell(notice: Notice): Promise<void> {
    if (this.#stopped.signal.aborted) return Promise.resolve()
    return new Promise((onTried) => {
      this.#waiting.push({ notice, onTried })
      if (this.#target !== undefined) this.#sending ??= this.#sendWaiting()
    })
  }

  /** Breaks off what is being sent; what waits is lost. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#target?.pool.destroy()
    await this.#sending
    for (const { onTried } of this.#waiting.splice(0)) onTried()
  }

  async #sendWaiting(): Promise<void> {
    let failures = 0
    while (this.#waiting.length > 0 && !this.#stopped.signal.aborted) {
      const batch = this.#waiting.slice(0, LARGEST_BATCH)
      const taken = await this.#post(batch.map(({ notice }) => notice))
      for (const { onTried } of batch) onTried()
      if (taken) this.#waiting.splice(0, batch.length)
      failures = taken ? 0 : failures + 1
      if (failures > 0) await this.#pause(failures)
    }
    this.#sending = undefined
  }

  async #post(notices: Notice[]): Promise<boolean> {
    const body = JSON.stringify({ notices })
    const headers = { 'content-type': 'application/json', 'bank-signature': sign(body, this.#secret) }
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const { pool, path } = this.#target ?? {}
    try {
      const answer = await pool?.request({ method: 'POST', path: path ?? '/', headers, body, signal })
      if (answer === undefined) return false
      await answer.body.dump()
      return answer.statusCode >= 200 && answer.statusCode < 300
    } catch {
      // Whatever went wrong, the notice counts as not taken and is sent again.
      return false
    }
  }

  async #pause(failures: number): Promise<void> {
    const ms = backoffMs(failures, Math.random(), FIRST_PAUSE_MS, LONGEST_PAUSE_MS)
    await delay(ms, undefined, { signal: this.#stopped.signal }).catch(() => undefined)
  }
}

// By real time: how old a signature may be is judged by the receiver's clock, not by the bank's.
function sign(body: string, secret: string): string {
  const t = Math.floor(Date.now() / 1000)
  return `t=${t},v1=${createHmac('sha256', secret).update(`${t}.${body}`).digest('hex')}`
}
