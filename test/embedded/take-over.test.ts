import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { processIdentity } from '../../src/embedded/process-identity.ts'
import { hold, kill, postmasterPid, query, refusal, start, temporaryDirectory } from './embedded-fixtures.ts'

describe('after a Bulkhead was killed', () => {
  it('its server lives on, is taken over with every committed row, and stops with the new owner', async () => {
    const directory = temporaryDirectory()
    const killed = hold(directory)
    const { url } = await killed.outcome
    await query(url, 'create table kept as select 42 as answer')
    const pid = postmasterPid(directory)
    await killed.killGroup()
    assert.notEqual(processIdentity(pid), undefined, 'the server outlives its process group')

    const heir = await start(directory)
    const rows = await query(heir.url, 'select answer from kept')
    assert.deepEqual([heir.adopted, heir.url, postmasterPid(directory)], [true, url, pid])
    assert.deepEqual(rows, [{ answer: 42 }])
    await heir.stop()
    assert.equal(processIdentity(pid), undefined)
  })

  it('a server that still starts is waited for', async () => {
    const directory = temporaryDirectory()
    await (await start(directory)).stop()
    const killed = hold(directory)
    const file = join(directory, 'cluster', 'postmaster.pid')
    while (!existsSync(file)) await new Promise(setImmediate)
    await killed.killGroup()
    const heir = await start(directory)
    assert.deepEqual(await query(heir.url, 'select 1 as one'), [{ one: 1 }])
    await heir.stop()
  })

  it('a server killed with it is started again from its write-ahead log', async () => {
    const directory = temporaryDirectory()
    const killed = hold(directory)
    await query((await killed.outcome).url, 'create table kept as select 42 as answer')
    await killed.killGroup()
    await kill(postmasterPid(directory))
    assert.ok(existsSync(join(directory, 'cluster', 'postmaster.pid')), 'the stale file is there')

    const heir = await start(directory)
    assert.deepEqual(
      [heir.adopted, await query(heir.url, 'select answer from kept')],
      [false, [{ answer: 42 }]]
    )
    await heir.stop()
  })

  it('a foreign process under the recorded pid is left alone', async () => {
    const directory = temporaryDirectory()
    const killed = hold(directory)
    await killed.outcome
    await killed.killGroup()
    await kill(postmasterPid(directory))
    // The same user as the server's: only then does PostgreSQL itself refuse to start.
    const { uid, gid } = statSync(join(directory, 'cluster'))
    const foreign = spawn('sleep', ['600'], { uid, gid, cwd: '/' })
    const file = join(directory, 'cluster', 'postmaster.pid')
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^\d+/, String(foreign.pid)))

    const heir = await start(directory)
    assert.equal(heir.adopted, false)
    await heir.stop()
    assert.equal(foreign.exitCode, null)
    foreign.kill()
    await once(foreign, 'exit')
    assert.equal(foreign.signalCode, 'SIGTERM', 'it was alive until we ended it')
  })
})

describe('a second Bulkhead on the same folder', () => {
  it('is refused with the pid of the first, also within one process', async () => {
    const directory = temporaryDirectory()
    const first = hold(directory)
    const { url } = await first.outcome
    const error = await refusal(directory)
    assert.equal(error.code, 'already-running')
    assert.match(error.message, new RegExp(`process ${String(first.child.pid)}\\b.*DATA_DIR`, 's'))
    assert.deepEqual(await query(url, 'select 1 as one'), [{ one: 1 }])
    await first.stop()

    const own = await start(directory)
    assert.match((await refusal(directory)).message, new RegExp(`process ${process.pid}\\b`))
    await own.stop()
  })

  it('is refused in a race for a dead owner\u2019s lock: one of four wins', async () => {
    const directory = temporaryDirectory()
    const killed = hold(directory)
    await killed.outcome
    await killed.killGroup()
    const racers = [1, 2, 3, 4].map(() => hold(directory))
    const outcomes = await Promise.all(racers.map((racer) => racer.outcome))
    const codes = outcomes.map((outcome) => outcome.code ?? `adopted ${outcome.adopted}`).sort()
    assert.deepEqual(codes, ['adopted true', 'already-running', 'already-running', 'already-running'])
    await Promise.all(racers.map((racer) => racer.stop()))
  })

  it('starts when the lock\u2019s pid belongs to a younger process, or its bytes were lost', async () => {
    const directory = temporaryDirectory()
    const lock = join(directory, 'owner.pid')
    for (const content of [JSON.stringify({ pid: process.pid, identity: 'older', nonce: '' }), '', 'null']) {
      writeFileSync(lock, content)
      await (await start(directory)).stop()
      assert.equal(existsSync(lock), false)
    }
  })
})
