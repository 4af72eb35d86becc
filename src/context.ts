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
  clock: { nowMs(): number }
  random: { fraction(): number; bytes(count: number): Uint8Array }
}
