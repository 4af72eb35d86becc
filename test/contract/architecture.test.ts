import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'

const root = path.join(import.meta.dirname, '../..')
const files = globSync('src/**/*.ts', { cwd: root }).map((file) => ({
  file,
  folder: file.split('/').length > 2 ? (file.split('/')[1] ?? '') : path.basename(file),
  text: readFileSync(path.join(root, file), 'utf8')
}))

/** The order of the folders, from the list in ARCHITECTURE.md: one line a step, equals separated by a point. */
const order = [
  ...readFileSync(path.join(root, 'ARCHITECTURE.md'), 'utf8').matchAll(/^\d+\. `([^`]+)`/gm)
].map((match) => match[1] ?? '')

describe('the code', () => {
  it('has the folders that ARCHITECTURE.md lists, and no other', () => {
    assert.deepEqual([...new Set(files.map(({ folder }) => folder))].toSorted(), order.toSorted())
  })

  it('imports only from the same folder or one that comes earlier', () => {
    const wrong = files.flatMap(({ file, folder, text }) =>
      [...text.matchAll(/(?:from|import\() ?'(\.[^']+)'/g)].flatMap((match) => {
        const target = path.relative('src', path.join(path.dirname(file), match[1] ?? ''))
        const targetFolder = target.includes('/') ? (target.split('/')[0] ?? '') : target
        return order.indexOf(targetFolder) > order.indexOf(folder) ? [`${file} imports ${target}`] : []
      })
    )
    assert.deepEqual(wrong, [])
  })

  it('has no circle of files', () => {
    const imports = new Map(
      files.map(({ file, text }) => [
        file,
        [...text.matchAll(/from '(\.[^']+)'/g)].map((match) => path.join(path.dirname(file), match[1] ?? ''))
      ])
    )
    const done = new Set<string>()
    const visit = (file: string, trail: string[]): void => {
      assert.ok(!trail.includes(file), `a circle: ${[...trail, file].join(' -> ')}`)
      if (done.has(file)) return
      for (const next of imports.get(file) ?? []) visit(next, [...trail, file])
      done.add(file)
    }
    for (const { file } of files) visit(file, [])
  })

  it('has rules in src/domain that touch nothing outside', () => {
    const wrong = files
      .filter(({ folder }) => folder === 'domain')
      .filter(({ text }) => /from '(?!\.|ibantools|ipaddr)|process\.|Date\.now|Math\.random/.test(text))
    assert.deepEqual(
      wrong.map(({ file }) => file),
      []
    )
  })

  it('reads its settings in one place', () => {
    // NO_COLOR, PATH and the like belong to the terminal and to programs that are started, not to Bulkhead.
    const names = /process\.env(?:\.|\[')([A-Z_]+)|process\.env\b/g
    const readers = files.flatMap(({ file, text }) =>
      [...text.matchAll(names)]
        .filter((match) => match[1] === undefined || !['NO_COLOR', 'PATH'].includes(match[1]))
        .map(() => file)
    )
    assert.deepEqual([...new Set(readers)].toSorted(), [
      'src/cli/demo.ts',
      'src/cli/load-settings.ts',
      'src/embedded/choose-runner.ts'
    ])
  })

  it('opens no network connection where a transaction is open', () => {
    const wrong = files.filter(({ text }) => /\(tx: Tx/.test(text) && /\bbank\.(submit|inquire)\b/.test(text))
    assert.deepEqual(
      wrong.map(({ file }) => file),
      []
    )
  })

  it('says above each exported function what it guarantees', () => {
    const silent = files.flatMap(({ file, text }) =>
      [...text.matchAll(/(?<!\*\/\n)^export (?:async )?function (\w+)/gm)].map(
        (match) => `${file}: ${match[1] ?? ''}`
      )
    )
    assert.deepEqual(silent, [])
  })
})
