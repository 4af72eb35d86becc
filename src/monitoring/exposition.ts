import { Gauge, Registry } from 'prom-client'
import type { Context } from '../context.ts'
import { registerFacts } from './facts.ts'

/** Longest that the database is waited for: less than Prometheus waits for us, which has to hear that it is away. */
const patienceMs = 5_000

/**
 * Returns what writes everything that is measured in the text format of Prometheus: what this process has counted, and
 * the facts of the installation, read anew each time, once for all who ask at that moment. Without the database the
 * facts are missing, and bulkhead_database_up is 0.
 */
export function createExposition(context: Context): () => Promise<string> {
  const facts = new Registry()
  const readFacts = registerFacts(facts)
  const up = new Registry()
  const databaseUp = registerDatabaseUp(up)
  let reading: Promise<boolean> | undefined

  const read = (): Promise<boolean> =>
    (reading ??= readFacts(context.db)
      .then(
        () => true,
        (error: unknown) => {
          context.log.debug({ err: error }, 'the facts of the installation cannot be read')
          return false
        }
      )
      .finally(() => (reading = undefined)))

  return async () => {
    const patience = new AbortController()
    const late = context.clock.sleep(patienceMs, patience.signal).then(() => false)
    const known = await Promise.race([read(), late])
    patience.abort()
    databaseUp.set(known ? 1 : 0)
    const registries = [context.measurements.registry, up, ...(known ? [facts] : [])]
    return (await Promise.all(registries.map((registry) => registry.metrics()))).join('\n')
  }
}

/** Registers what tells whether the facts are there. */
export function registerDatabaseUp(registry: Registry): Gauge {
  return new Gauge({
    name: 'bulkhead_database_up',
    help: '1 if the facts of the installation could be read from the database for this answer, else 0.',
    registers: [registry]
  })
}
