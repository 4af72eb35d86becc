import type { Database } from '../../../src/database/database.ts'
import type { Process } from '../process.ts'
import type { World } from '../world.ts'
import { describeStatement } from './describe-statement.ts'
import { SimulatedFault } from './simulated-fault.ts'

/** The real database over a bad network. Each statement, and each whole transaction, is one call. */
export function connectToDatabase(world: World, process: Process): Database {
  const { database } = world
  const connected: Database = {
    query: (query) =>
      overNetwork(world, process, query.name, async () => {
        const result = await database.query(query)
        world.timeline.tell(process.name, describeStatement(query, result.rows))
        const wrong = world.leases.findWrong(query, result.rows, world.timeline.nowMs)
        if (wrong !== null) world.fail(wrong)
        world.stops.see(query, result.rows)
        return result
      }),
    transaction: (work, mode) =>
      overNetwork(world, process, 'transaction', () => {
        world.timeline.tell(process.name, 'transaction')
        return database.transaction(work, mode)
      }),
    forOrganization: () => connected,
    statementCount: 0,
    close: () => Promise.resolve()
  }
  return connected
}

function overNetwork<T>(world: World, process: Process, what: string, perform: () => Promise<T>): Promise<T> {
  const tell = (text: string) => world.timeline.tell(process.name, `${what}: ${text}`)
  const fault = (text: string) => ({ afterMs: world.usualMs(), result: new SimulatedFault(text) })
  if (world.strikes('database_refused')) {
    tell('the database is not reached')
    const otherwise = fault('connection refused')
    return process.call({ arrivesMs: null, perform, answerMs: null, otherwise })
  }
  const slowMs = world.strikes('database_slow') ? world.dice.between(0, 2 * world.options.lease_ms) : 0
  const arrivesMs = world.usualMs() + slowMs
  if (slowMs > 0) tell(`takes ${slowMs} ms`)
  if (!world.strikes('database_answer_lost'))
    return process.call({ arrivesMs, perform, answerMs: world.usualMs() })
  // The connection may break while the statement still runs, or before the server has even begun with it.
  tell('the connection breaks')
  return process.call({ arrivesMs, perform, answerMs: null, otherwise: fault('connection reset') })
}
