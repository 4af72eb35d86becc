import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { it } from 'node:test'
import { mutants } from '../mutants/mutants.ts'

it('every deliberate bug still has its place in the code', () => {
  const root = path.join(import.meta.dirname, '../..')
  const lost = mutants.filter(
    ({ file, find }) => readFileSync(path.join(root, file), 'utf8').split(find).length !== 2
  )
  assert.deepEqual(
    lost.map(({ name }) => name),
    []
  )
  assert.ok(mutants.length >= 12)
})
