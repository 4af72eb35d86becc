import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { verify } from '../../src/verification/verify.ts'
import { aLog, corrupt, makeHistory, named, type History } from './history.ts'

export interface Corruption<H extends History = History> {
  what: string
  sql: (history: H) => string
  /** Everything that is reported, no more and no less. */
  reported: (history: H) => string[]
  says: RegExp
}

/** One test for each corruption, on a history of its own. */
export function testCorruptions(title: string, corruptions: Corruption[]): void {
  testCorruptionsOf(makeHistory, title, corruptions)
}

/** The same on another kind of history. */
export function testCorruptionsOf<H extends History>(
  make: () => Promise<H>,
  title: string,
  corruptions: Corruption<H>[]
): void {
  describe(title, () => {
    for (const { what, sql, reported, says } of corruptions)
      it(`is told by its rows: ${what}`, async () => {
        const history = await make()
        await corrupt(history, sql(history))
        const verification = await verify(history.database.db, aLog(history.log))
        assert.deepEqual(named(verification), reported(history).sort())
        const all = verification.violations.map(({ details }) => details).join('\n')
        assert.match(all, new RegExp(says, 'm'))
      })
  })
}
