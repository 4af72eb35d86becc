import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { openDatabase } from '../../src/database/database.ts'
import { isUnavailable } from '../../src/database/errors.ts'
import { statement } from '../../src/database/statement.ts'
import { createTestDatabase } from '../support/database.ts'
import { startLine } from '../support/line.ts'

const database = await createTestDatabase()
const selectOne = statement('select-one', {}, { one: 'int4' }, 'select 1 as one')

describe('a database behind a line that swallows its answers', () => {
  const kinds = {
    'a statement': (db: ReturnType<typeof openDatabase>) => selectOne(db, {}),
    'a transaction': (db: ReturnType<typeof openDatabase>) => db.transaction((tx) => selectOne(tx, {}))
  }
  for (const [name, ask] of Object.entries(kinds))
    it(`is unavailable to ${name}, and is asked on another connection next`, async () => {
      const url = new URL(database.url)
      const line = await startLine(Number(url.port))
      url.port = `${line.port}`
      const db = openDatabase({
        url: url.href,
        maxConnections: 1,
        applicationName: 'silence',
        answerTimeoutMs: 300
      })
      after(async () => {
        await db.close()
        await line.close()
      })
      await ask(db)
      await line.harm({ kind: 'hole', direction: 'down' })

      await assert.rejects(ask(db), isUnavailable)

      await line.mend({ lose: false })
      assert.deepEqual(await selectOne(db, {}), [{ one: 1 }])
    })
})
