import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { describe, it } from 'node:test'
import { findFreePorts } from '../support/ports.ts'
import { call, launch, makePlace, run, start, type Place, type Program } from './program.ts'
import { findPostmaster, processTree, until } from './processes.ts'

/** Ends at once with exit code 2 and plain words; nothing like a stack. */
async function expectRefusal(place: Place, says: RegExp[], settings: Record<string, string> = {}) {
  const { code, stdout, stderr, took_ms } = await run(place, ['start'], { settings })
  for (const words of says) assert.match(stderr, words)
  assert.doesNotMatch(stderr + stdout, /^\s+at |node:internal|Error:/m)
  assert.equal(code, 2, stderr + stdout)
  assert.equal(findPostmaster(place.dataDir), undefined, 'no PostgreSQL is left running')
  return took_ms
}

const server = process.env['BULKHEAD_TEST_SERVER'] ?? ''

describe('a start that cannot be', { skip: process.platform === 'win32' }, () => {
  const wrong: { name: string; settings: Record<string, string>; says: RegExp[] }[] = [
    {
      name: 'tells every wrong setting at once',
      settings: { PORT: 'abc', LOG_LEVEL: 'loud' },
      says: [/PORT: /, /LOG_LEVEL: /]
    },
    {
      name: 'does not open demo mode to other machines',
      settings: { HOST: '0.0.0.0' },
      says: [/HOST: 0\.0\.0\.0 can be reached from other machines/]
    },
    {
      name: 'tells a worker without a database what it lacks',
      settings: { ROLE: 'worker' },
      says: [/ROLE: worker .*set DATABASE_URL and BANK_URL/]
    },
    {
      name: 'tells that the password of DATABASE_URL is wrong, without the password',
      settings: { DATABASE_URL: server.replace(/:[^:@]+@/, ':wrong-secret@') },
      says: [
        /The database at 127\.0\.0\.1:\d+ can't be used: password authentication failed/,
        /^(?!.*secret)/s
      ]
    },
    {
      name: 'tells that there is no such database',
      settings: { DATABASE_URL: server.replace(/\/\w+$/, '/nothing_here') },
      says: [/can't be used: database "nothing_here" does not exist/]
    }
  ]
  for (const { name, settings, says } of wrong)
    it(name, async (t) => {
      const place = await makePlace(t)
      t.diagnostic(`told after ${await expectRefusal(place, says, settings)} ms`)
    })

  it('tells that nothing answers at DATABASE_URL, in each of its commands', async (t) => {
    const place = await makePlace(t)
    const [port] = await findFreePorts(1)
    for (const host of ['127.0.0.1', 'localhost']) {
      const settings = { DATABASE_URL: `postgres://me:secret@${host}:${port}/bulkhead` }
      await expectRefusal(place, [/can't be used: .*ECONNREFUSED/, /^(?!.*secret)/s], settings)
      for (const command of ['migrate', 'verify']) {
        const { code, stderr } = await run(place, [command], { settings })
        assert.match(stderr, /^The database .*ECONNREFUSED.*\n$/)
        assert.equal(code, 2)
      }
    }
  })

  it('tells that its port is taken, and leaves nothing running', async (t) => {
    const place = await makePlace(t)
    const { PORT } = place.environment
    const other = createServer((_, response) => response.end('other')).listen(Number(PORT), '127.0.0.1')
    t.after(() => other.close())
    await expectRefusal(place, [new RegExp(`Port ${PORT} is taken by another program`)])
  })

  it("tells that the bank's port is taken, and leaves nothing running", async (t) => {
    const place = await makePlace(t)
    const { SANDBOX_BANK_PORT } = place.environment
    const other = createServer((_, response) => response.end('other')).listen(
      Number(SANDBOX_BANK_PORT),
      '127.0.0.1'
    )
    t.after(() => other.close())
    await expectRefusal(place, [new RegExp(`The sandbox bank does not start: port ${SANDBOX_BANK_PORT}`)])
  })

  it('does not touch the data of one that runs', async (t) => {
    const place = await makePlace(t)
    const first = await start(place)
    const second = await run(place, ['start'])
    assert.match(
      second.stderr,
      new RegExp(`Another Bulkhead \\(process ${first.pid}\\) is using the database in`)
    )
    assert.doesNotMatch(second.stderr, /^\s+at /m)
    assert.equal(second.code, 2)
    assert.equal((await call(place, '/health/ready')).status, 200)
  })
})

describe('a start that is broken off', { skip: process.platform === 'win32' }, () => {
  const moments: [string, (place: Place, program: Program) => boolean][] = [
    ['while the database is created', (_, program) => program.stderr().includes('Creating a database')],
    ['while PostgreSQL starts', (place) => findPostmaster(place.dataDir) !== undefined],
    ['while the bank starts', (_, program) => program.stderr().includes('Migrated')]
  ]
  for (const [moment, isReached] of moments)
    it(`by Ctrl-C ${moment} leaves no process`, async (t) => {
      const place = await makePlace(t)
      const program = launch(place)
      await until(moment, () => isReached(place, program))
      process.kill(-program.pid, 'SIGINT')
      assert.deepEqual(await program.exit, { code: 0, signal: null })
      assert.doesNotMatch(program.stderr(), /^\s+at /m)
      assert.deepEqual(processTree([program.pid]), [])
      assert.equal(findPostmaster(place.dataDir), undefined)
    })
})
