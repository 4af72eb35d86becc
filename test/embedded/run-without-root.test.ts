import assert from 'node:assert/strict'
import { chmodSync, chownSync, cpSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { chooseAccount } from '../../src/embedded/unprivileged-account.ts'
import {
  hold,
  holdAsNobody,
  nobody,
  isRoot,
  packagedBinaries,
  postmasterPid,
  query,
  start,
  temporaryDirectory
} from './embedded-fixtures.ts'

const asRoot = { skip: isRoot && process.platform === 'linux' ? false : 'needs root on Linux' }

describe('as root', asRoot, () => {
  it('runs the server as a user without rights where that user reaches everything', async () => {
    const directory = temporaryDirectory()
    // The checkout itself may lie below a closed folder, so the programs are copied beside the data.
    const binaries = copyBinaries(join(directory, 'native'))
    const server = await start(join(directory, 'database'), { binaries })
    const pid = postmasterPid(join(directory, 'database'))
    const { uid, capabilities } = credentials(pid)
    await server.stop()
    assert.notEqual(uid, 0)
    assert.equal(uid, statSync(server.dataDirectory).uid)
    assert.equal(capabilities, 0n)
  })

  it('works below a folder only root may enter, for programs and data alike, over a kill and a restart', async () => {
    const closed = temporaryDirectory(0o700)
    const binaries = copyBinaries(join(closed, 'native'))
    const directory = join(closed, 'database')
    const killed = hold(directory, { binaries })
    const { url } = await killed.outcome
    await query(url, 'create table kept as select 42 as answer')
    const { uid, capabilities } = credentials(postmasterPid(directory))
    await killed.killGroup()
    const heir = await start(directory, { binaries })
    await query(heir.url, 'checkpoint')
    await heir.stop()
    const again = await start(directory, { binaries })
    const rows = await query(again.url, 'select answer from kept')
    await again.stop()
    assert.notEqual(uid, 0)
    assert.equal(capabilities, 1n << 2n, 'CAP_DAC_READ_SEARCH and nothing else')
    assert.deepEqual([heir.adopted, again.adopted, rows], [true, false, [{ answer: 42 }]])
  })

  it('uses the capability that containers have when the reading one is missing', async () => {
    const holder = hold(join(temporaryDirectory(0o700), 'database'), {
      through: ['setpriv', '--bounding-set=-dac_read_search']
    })
    const { url, progress } = await holder.outcome
    assert.deepEqual(await query(url, 'select 1 as one'), [{ one: 1 }])
    assert.match(progress.join('\n'), /CAP_DAC_OVERRIDE/)
    await holder.stop()
  })

  const noCapabilityToGive = ['setpriv', '--bounding-set=-setpcap']

  it('copies the programs beside reachable data when it has no capability to give', async () => {
    const binaries = copyBinaries(join(temporaryDirectory(0o700), 'native'))
    const directory = temporaryDirectory()
    for (const round of ['first', 'second']) {
      const holder = hold(directory, { binaries, through: noCapabilityToGive })
      const { url, progress } = await holder.outcome
      assert.deepEqual(await query(url, 'select 1 as one'), [{ one: 1 }])
      assert.equal(/copying PostgreSQL/.test(progress.join('\n')), round === 'first')
      await holder.stop()
    }
  })

  it('says how to mend data that it cannot give the server', async () => {
    const holder = hold(join(temporaryDirectory(0o700), 'database'), { through: noCapabilityToGive })
    const { code, message } = await holder.outcome
    assert.equal(code, 'unreachable-directory')
    assert.match(message ?? '', /DATA_DIR.*\/var\/lib\/bulkhead/s)
  })

  it('says so when it may not become another user', async () => {
    const holder = hold(temporaryDirectory(), { through: ['setpriv', '--bounding-set=-setuid,-setgid'] })
    const { code, message } = await holder.outcome
    assert.equal(code, 'no-unprivileged-user')
    assert.match(message ?? '', /ordinary user.*DATABASE_URL/)
  })

  it('lets an ordinary user run everything alone, and later leaves the files to that user', async () => {
    const directory = temporaryDirectory()
    chownSync(directory, nobody, nobody)
    const binaries = copyBinaries(join(temporaryDirectory(), 'native'))
    const holder = holdAsNobody(join(directory, 'database'), binaries)
    const { url } = await holder.outcome
    assert.deepEqual(await query(url, 'select 1 as one'), [{ one: 1 }])
    assert.equal(credentials(postmasterPid(join(directory, 'database'))).uid, nobody)
    await holder.stop()

    const server = await start(join(directory, 'database'), { binaries })
    await server.stop()
    assert.equal(statSync(server.dataDirectory).uid, nobody)
  })

  it('refuses an ordinary user the files of another one', async () => {
    const directory = temporaryDirectory(0o777)
    chmodSync(directory, 0o777)
    await (await start(directory)).stop()
    const { code, message } = await holdAsNobody(directory).outcome
    assert.equal(code, 'permission-denied')
    assert.match(message ?? '', /belongs to another user/)
  })
})

describe('the account for the server', () => {
  const root = 'root:x:0:0::/root:/bin/sh\n'
  const line = (name: string, uid: number): string => `${name}:x:${uid}:${uid}::/:/bin/false\n`
  const fresh = line('bulkhead', 999)
  for (const [what, before, created, expected] of [
    ['postgres first', root + line('nobody', 65534) + line('postgres', 101), fresh, 101],
    ['a new system user next', root + line('nobody', 65534), fresh, 999],
    ['the system user of last time', root + fresh, undefined, 999],
    ['nobody when none can be made', root + line('nobody', 65534), undefined, 65534],
    ['no user with the rights of root', root + line('postgres', 0) + line('nobody', 65534), undefined, 65534]
  ] as const) {
    it(`is ${what}`, async () => {
      assert.deepEqual(await choose(before, created), { uid: expected, gid: expected })
    })
  }

  it('is refused with a mend when there is none', async () => {
    await assert.rejects(choose(root, undefined), { code: 'no-unprivileged-user', message: /useradd/ })
  })
})

async function choose(before: string, created: string | undefined): Promise<unknown> {
  let passwords = before
  return await chooseAccount('/nonexistent', {
    readPasswords: () => passwords,
    createAccount: () => {
      if (created === undefined) return Promise.reject(new Error('useradd: not found'))
      passwords += created
      return Promise.resolve()
    }
  })
}

function copyBinaries(to: string): string {
  mkdirSync(to)
  cpSync(packagedBinaries, to, { recursive: true, verbatimSymlinks: true })
  return to
}

function credentials(pid: number): { uid: number; capabilities: bigint } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const uid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1])
  return { uid, capabilities: BigInt(`0x${/^CapEff:\s+([0-9a-f]+)/m.exec(status)?.[1] ?? ''}`) }
}
