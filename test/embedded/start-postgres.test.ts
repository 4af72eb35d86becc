import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { chooseRunner } from '../../src/embedded/choose-runner.ts'
import { openClusterFolder } from '../../src/embedded/cluster-folder.ts'
import { locateBinaries } from '../../src/embedded/locate-binaries.ts'
import { processIdentity } from '../../src/embedded/process-identity.ts'
import { launchServer } from '../../src/embedded/run-server.ts'
import { postmasterPid, query, refusal, start, temporaryDirectory } from './embedded-fixtures.ts'

describe('the embedded database', () => {
  it('is durable, in UTF-8 and UTC, listens on 127.0.0.1 only, and takes extra settings', async () => {
    const server = await start(temporaryDirectory(), { settings: { work_mem: '7MB' } })
    const names = [
      'fsync synchronous_commit full_page_writes data_checksums listen_addresses unix_socket_directories',
      'max_connections max_wal_size checkpoint_timeout TimeZone server_encoding lc_collate work_mem logging_collector'
    ]
    const columns = names.join(' ').split(' ')
    const shown = await query(
      server.url,
      `select ${columns.map((name) => `current_setting('${name}', true) as "${name}"`).join(', ')}`
    )
    await server.stop()
    assert.deepEqual(shown, [
      {
        fsync: 'on',
        synchronous_commit: 'on',
        full_page_writes: 'on',
        data_checksums: 'on',
        listen_addresses: '127.0.0.1',
        unix_socket_directories: '',
        max_connections: '100',
        max_wal_size: '4GB',
        checkpoint_timeout: '15min',
        TimeZone: 'UTC',
        server_encoding: 'UTF8',
        lc_collate: null,
        work_mem: '7MB',
        logging_collector: 'off'
      }
    ])
  })

  it('keeps its data, password and port over a stop, which leaves no process and no lock', async () => {
    const directory = temporaryDirectory()
    const first = await start(directory)
    await query(first.url, 'create table kept as select 42 as answer')
    const pid = postmasterPid(directory)
    await Promise.all([first.stop(), first.stop()])
    assert.equal(processIdentity(pid), undefined)
    assert.deepEqual(readdirSync(directory).sort(), ['.ready', 'cluster', 'password', 'port', 'server.log'])
    assert.equal(statSync(join(directory, 'password')).mode & 0o777, 0o600)

    const second = await start(directory)
    const rows = await query(second.url, 'select answer from kept')
    await second.stop()
    assert.deepEqual(rows, [{ answer: 42 }])
    assert.deepEqual([second.url, second.adopted, second.progress], [first.url, false, []])
    assert.equal(second.dataDirectory, join(directory, 'cluster'))
  })

  it('asks for the password', async () => {
    const server = await start(temporaryDirectory())
    const guess = server.url.replace(/:[^:@]+@/, ':guess@')
    await assert.rejects(query(guess, 'select 1'), { code: '28P01' })
    await server.stop()
  })

  it('moves to a free port when another program has taken the stored one', async () => {
    const directory = temporaryDirectory()
    const first = await start(directory)
    await first.stop()
    const stored = Number(readFileSync(join(directory, 'port'), 'utf8'))
    const other = createServer().listen(stored, '127.0.0.1')
    await once(other, 'listening')

    const second = await start(directory)
    const rows = await query(second.url, 'select 1 as one')
    await second.stop()
    const lost = await launchOn(directory, stored)
    other.close()
    assert.deepEqual(rows, [{ one: 1 }])
    assert.notEqual(new URL(second.url).port, String(stored))
    assert.equal(readFileSync(join(directory, 'port'), 'utf8'), new URL(second.url).port)
    assert.equal(lost, 'port-taken', 'the race between choosing a port and listening on it is recognised')
  })

  it('tells the end of the log when the server does not start, and starts once that is mended', async () => {
    const directory = temporaryDirectory()
    const error = await refusal(directory, { settings: { shared_buffers: 'lots' } })
    assert.equal(error.code, 'start-failed')
    assert.match(error.message, /invalid value for parameter "shared_buffers": "lots"/)
    assert.ok(error.message.includes(join(directory, 'server.log')))
    await (await start(directory)).stop()
  })

  it('puts a log of more than 10 MB aside at the next start', async () => {
    const directory = temporaryDirectory()
    await (await start(directory)).stop()
    truncateSync(join(directory, 'server.log'), 11 * 1024 * 1024)
    await (await start(directory)).stop()
    assert.equal(statSync(join(directory, 'server.log.1')).size, 11 * 1024 * 1024)
    assert.ok(statSync(join(directory, 'server.log')).size < 100_000)
  })

  it('refuses a cluster of another major version and touches nothing', async () => {
    const directory = temporaryDirectory()
    await (await start(directory)).stop()
    writeFileSync(join(directory, 'cluster', 'PG_VERSION'), '15\n')
    const before = readdirSync(directory, { recursive: true })
    const error = await refusal(directory)
    assert.equal(error.code, 'wrong-major-version')
    assert.match(error.message, /made by PostgreSQL 15.*brings PostgreSQL 18.*DATA_DIR.*DATABASE_URL/s)
    assert.deepEqual(readdirSync(directory, { recursive: true }), before)
  })

  it('refuses a folder that is a file', async () => {
    const file = join(temporaryDirectory(), 'file')
    writeFileSync(file, '')
    assert.equal((await refusal(file)).code, 'permission-denied')
    assert.ok(existsSync(file))
  })
})

async function launchOn(directory: string, port: number): Promise<string> {
  const folder = openClusterFolder(directory)
  const runner = await chooseRunner(await locateBinaries(), folder, () => undefined)
  const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: '' }
  return (await launchServer({ runner, folder, settings, onProgress: () => undefined }, port)).outcome
}
