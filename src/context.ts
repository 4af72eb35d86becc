import { setTimeout as sleep } from 'node:timers/promises'
import type { BankConnector } from './banking/connector.ts'
import type { PayeeCheck } from './banking/payee-check.ts'
import type { Broker } from './broker/broker.ts'
import type { Database } from './database/database.ts'
import type { Outgoing } from './outgoing/outgoing.ts'
import type { Settings } from './settings.ts'
import type { Log } from './telemetry/log.ts'
import type { Measurements } from './telemetry/measurements.ts'

/** The outside world: everything that can fail, take time or differ between two runs. A simulation replaces it. */
export interface Context {
  settings: Settings
  db: Database
  bank: BankConnector
  /** Who verifies names and IBANs of payees; null: nobody can be asked. */
  payeeCheck: PayeeCheck | null
  broker: Broker
  /** Calls to where customers want to be told. */
  outgoing: Outgoing
  log: Log
  measurements: Measurements
  clock: Clock
  random: { fraction(): number; bytes(count: number): Uint8Array }
  origin: Origin
}

/** On whose behalf something is done, and in which trace: what the record of it names. */
export interface Origin {
  /** `key:<key_id>`, `user:<subject>`, `demo`, `operator:<name>`, or `bulkhead` itself. */
  actor: string
  /** W3C trace id, 32 hexadecimal digits; null for what no request began. */
  trace_id: string | null
}

export const ownOrigin: Origin = { actor: 'bulkhead', trace_id: null }

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
