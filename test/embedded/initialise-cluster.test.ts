import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { hold, query, refusal, start, temporaryDirectory, until } from './embedded-fixtures.ts'

describe('making the cluster', () => {
  it('is started over after a kill in the middle, even while the old initdb still writes', async () => {
    const directory = temporaryDirectory()
    const killed = hold(directory)
    await until(() => initdbHasBegun(directory), 'initdb writes files')
    process.kill(killed.child.pid!, 'SIGKILL')
    await until(() => killed.child.signalCode !== null, 'the Bulkhead is dead')
    assert.equal(existsSync(join(directory, '.ready')), false)

    const heir = await start(directory)
    assert.match(heir.progress.join('\n'), /was interrupted; starting it over/)
    assert.deepEqual(await query(heir.url, 'select 1 as one'), [{ one: 1 }])
    await heir.stop()
    const left = ['.ready', 'cluster', 'password', 'port', 'server.log']
    assert.deepEqual(readdirSync(directory).sort(), left)
  })

  it('is started over when the kill came between the last file and the marker', async () => {
    const directory = temporaryDirectory()
    await (await start(directory)).stop()
    rmSync(join(directory, '.ready'))
    writeFileSync(join(directory, '.initialising'), '')
    const again = await start(directory)
    await again.stop()
    assert.match(again.progress.join('\n'), /starting it over/)
  })

  for (const [what, names] of [
    ['someone\u2019s files', ['letter.txt']],
    ['someone\u2019s files beside our interrupted ones', ['.initialising', 'password', 'letter.txt']],
    ['a cluster without our marker', ['cluster', 'password']]
  ] as const) {
    it(`refuses ${what} and touches nothing`, async () => {
      const directory = temporaryDirectory()
      for (const name of names) writeFileSync(join(directory, name), 'precious')
      const error = await refusal(directory)
      assert.equal(error.code, 'half-initialised')
      assert.match(error.message, new RegExp(`${directory}.*DATA_DIR`, 's'))
      assert.deepEqual(readdirSync(directory).sort(), [...names].sort())
      for (const name of names) assert.equal(readFileSync(join(directory, name), 'utf8'), 'precious')
    })
  }

  it('refuses a finished folder whose cluster or password is gone', async () => {
    const directory = temporaryDirectory()
    mkdirSync(join(directory, 'cluster'))
    writeFileSync(join(directory, '.ready'), '')
    writeFileSync(join(directory, 'cluster', 'PG_VERSION'), '18\n')
    const error = await refusal(directory)
    assert.deepEqual([error.code, /password missing/.test(error.message)], ['half-initialised', true])
  })
})

function initdbHasBegun(directory: string): boolean {
  const fresh = readdirSync(directory).find((name) => name.startsWith('initialising-'))
  return fresh !== undefined && existsSync(join(directory, fresh, 'global'))
}
