import { setTimeout as sleep } from 'node:timers/promises'
import type { BankConnector } from './banking/connector.ts'
import type { Broker } from './broker/broker.ts'
import type { Database } from './database/database.ts'
import type { Settings } from './settings.ts'
import type { Log } from './telemetry/log.ts'

/** The outside world: everything that can fail, take time or differ between two runs. A simulation replaces it. */
export interface Context {
  settings: Settings
  db: Database
  bank: BankConnector
  broker: Broker
  log: Log
  clock: Clock
  random: { fraction(): number; bytes(count: number): Uint8Array }
}

export interface Clock {
  /** The time of day, in milliseconds since 1970. It may be wrong and may jump: leases and due times are PostgreSQL's. */
  nowMs(): number
  /** A stopwatch that never jumps and starts anywhere. */
  elapsedMs(): number
  /** Resolves after some milliseconds, or as soon as the signal is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  elapsedMs: () => performance.now(),
  sleep: (ms, signal) =>
    sleep(ms, undefined, signal ? { signal } : {}).catch((error: unknown) => {
      if (!signal?.aborted) throw error
    })
}
