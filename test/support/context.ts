import { randomBytes } from 'node:crypto'
import { ownOrigin, systemClock, type Context } from '../../src/context.ts'
import type { Broker } from '../../src/broker/broker.ts'
import { noOutgoing } from '../../src/outgoing/outgoing.ts'
import { readSettings, type Settings } from '../../src/settings.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { createMeasurements } from '../../src/telemetry/measurements.ts'
import { createScriptedBank, type ScriptedBank } from './scripted-bank.ts'
import type { TestDatabase } from './database.ts'

export type TestContext = Context & { bank: ScriptedBank }

/** A context on a test's database, with a scripted bank, a silent log and hints that nobody needs. */
export function createTestContext(database: TestDatabase, settings: Partial<Settings> = {}): TestContext {
  const read = readSettings({ LOG_LEVEL: 'silent' })
  if (read.outcome === 'invalid') throw new Error(read.errors.join('; '))
  return {
    settings: { ...read.settings, ...settings },
    db: database.db,
    bank: createScriptedBank(),
    broker: silentBroker,
    outgoing: noOutgoing,
    log: createLog('silent'),
    measurements: createMeasurements(),
    clock: systemClock,
    random: { fraction: () => 0.5, bytes: (count) => randomBytes(count) },
    payeeCheck: null,
    origin: ownOrigin
  }
}

/** Loses every hint, as a broker may. */
export const silentBroker: Broker = {
  announce: () => Promise.resolve(),
  listen: () => Promise.resolve(),
  close: () => Promise.resolve()
}
