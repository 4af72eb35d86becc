import type { Context } from '../../src/context.ts'
import type { Database, TransactionMode } from '../../src/database/database.ts'
import type { Tx } from '../../src/database/statement.ts'

/** Is told of every boundary between two side effects as the program gets there: `before accept-bulk`. */
export type Reach = (point: string) => void

/**
 * The same context, with a point before and after everything that the program does to the world outside of it. What
 * is a side effect follows from the context itself and needs no list: each statement by its name, each commit, and each
 * call of whatever else is in it (`bank.submit`, `broker.announce`). Settings, log, clock and chance change nothing.
 *
 * A statement that only reads has a point before it and none after it, where nothing has changed since; in a
 * transaction that only reads there are none at all. This halves the points and leaves out no state of the world.
 */
export function watchContext(context: Context, reach: Reach): Context {
  const { settings, log, clock, random, db, ...outside } = context
  const watched = Object.entries(outside).map(([name, part]) => [name, watchCalls(name, part, reach)])
  return {
    settings,
    log,
    clock,
    random,
    db: watchDatabase(db, reach),
    ...(Object.fromEntries(watched) as typeof outside)
  }
}

function watchCalls<T extends object | null>(name: string, part: T, reach: Reach): T {
  if (part === null) return part
  return new Proxy(part, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key)
      if (typeof member !== 'function') return member
      const call = member as (...parameters: unknown[]) => unknown
      return (...parameters: unknown[]) =>
        between(`${name}.${String(key)}`, reach, () => call.apply(target, parameters))
    }
  })
}

function watchDatabase(db: Database, reach: Reach): Database {
  return {
    ...watchTx(db, reach),
    transaction: (work, mode) =>
      mode?.includes('read only') ? db.transaction(work, mode) : watchTransaction(db, reach, work, mode),
    forOrganization: (organizationId) => watchDatabase(db.forOrganization(organizationId), reach),
    get statementCount() {
      return db.statementCount
    },
    close: () => db.close()
  }
}

/** A transaction has the name of its first statement. */
async function watchTransaction<T>(
  db: Database,
  reach: Reach,
  work: (tx: Tx) => Promise<T>,
  mode?: TransactionMode
): Promise<T> {
  let name: string | undefined
  try {
    return await db.transaction(async (tx) => {
      const result = await work({
        query(query) {
          name ??= query.name
          return watchTx(tx, reach).query(query)
        }
      })
      reach(`before commit of ${name}`)
      return result
    }, mode)
  } finally {
    reach(`after commit of ${name}`)
  }
}

function watchTx(tx: Tx, reach: Reach): Tx {
  return {
    query(query) {
      if (writes.test(query.text)) return between(query.name, reach, () => tx.query(query))
      reach(`before ${query.name}`)
      return tx.query(query)
    }
  }
}

/** Locking counts as writing: it makes others wait. */
const writes = /\b(insert into|update|delete from|lock table|advisory\w*lock)\b/

/** After it, also when it failed: what it did to the outside may have been done. */
async function between<T>(effect: string, reach: Reach, act: () => T): Promise<Awaited<T>> {
  reach(`before ${effect}`)
  try {
    return await act()
  } finally {
    reach(`after ${effect}`)
  }
}
