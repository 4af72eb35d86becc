import assert from 'node:assert/strict'
import { chownSync, cpSync, lstatSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, it } from 'node:test'
import { locateBinaries } from '../../src/embedded/locate-binaries.ts'
import {
  hold,
  holdAsNobody,
  isRoot,
  nobody,
  packagedBinaries,
  query,
  temporaryDirectory
} from './embedded-fixtures.ts'

describe('the programs of an installation without install scripts', () => {
  it('get their links from two first starts at once, and keep them afterwards', async () => {
    const binaries = withoutLinks()
    const holders = [1, 2].map(() => hold(temporaryDirectory(), { binaries }))
    for (const holder of holders) {
      assert.deepEqual(await query((await holder.outcome).url, 'select 1 as one'), [{ one: 1 }])
    }
    await Promise.all(holders.map((holder) => holder.stop()))

    const made = links(binaries).map((path) => lstatSync(path))
    assert.ok(made.length > 0 && made.every((link) => link.isSymbolicLink()))
    await locateBinaries(binaries)
    assert.deepEqual(
      links(binaries).map((path) => lstatSync(path).ino),
      made.map((link) => link.ino)
    )
    assert.deepEqual(
      readdirSync(join(binaries, 'lib')).sort(),
      readdirSync(join(packagedBinaries, 'lib')).sort()
    )
  })

  it('get a wrong link put right', async () => {
    const binaries = withoutLinks()
    symlinkSync('/nowhere/libpq.so', links(binaries)[0]!)
    assert.equal((await locateBinaries(binaries)).majorVersion, '18')
  })

  it('say who can mend them when this user may not', { skip: isRoot ? false : 'needs root' }, async () => {
    const directory = temporaryDirectory()
    chownSync(directory, nobody, nobody)
    const { code, message } = await holdAsNobody(directory, withoutLinks()).outcome
    assert.equal(code, 'binaries-incomplete')
    assert.match(message ?? '', /npm rebuild/)
  })

  it('say that DATABASE_URL is the way where there are none', async () => {
    await assert.rejects(locateBinaries('/nonexistent/native'), {
      code: 'unsupported-platform',
      message: /DATABASE_URL/
    })
  })
})

function withoutLinks(): string {
  const binaries = join(temporaryDirectory(), 'native')
  cpSync(packagedBinaries, binaries, { recursive: true, verbatimSymlinks: true })
  for (const path of links(binaries)) rmSync(path, { force: true })
  return binaries
}

function links(binaries: string): string[] {
  const listed = JSON.parse(readFileSync(join(binaries, 'pg-symlinks.json'), 'utf8')) as { target: string }[]
  return listed.map(({ target }) => join(binaries, relative('native', target)))
}
