import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { findDuplicateKey } from '../../src/http/duplicate-key.ts'

const find = (text: string) => findDuplicateKey(text, JSON.parse(text))

describe('a key that is given twice', () => {
  for (const [text, pointer] of [
    ['{"a": 1, "a": 2}', '/a'],
    ['{"a":1,"\\u0061":2}', '/a'],
    ['{"a" \n : 1, "a"\t:1}', '/a'],
    ['{"x": [{"a": 1}, {"b": {}, "a/b": 1, "a/b": 2}]}', '/x/1/a~1b'],
    ['[[], {"": 1, "": 2}]', '/1/'],
    ['{"a": {"a": 1}, "b": [{"a": 2}], "a": 3}', '/a'],
    ['{"say \\": it": 1, "say \\": it": 1}', '/say ": it'],
    ['{"a\\\\": 1, "a\\\\": "x"}', '/a\\']
  ] as const)
    it(`is found in ${text}`, () => {
      assert.equal(find(text), pointer)
    })

  for (const text of [
    '{"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}]}',
    '{"a": "\\": \\":", "b": "{\\"a\\": 1, \\"a\\": 2}"}',
    '"a"',
    'null',
    '[]',
    '{"a": "a", "b": "a:", "c": "a\\\\"}'
  ])
    it(`is not found in ${text}`, () => {
      assert.equal(find(text), null)
    })

  it('is not found in what was written from a value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
        assert.equal(find(JSON.stringify(value, null, indent)), null)
      })
    )
  })

  it('is found wherever it is put', () => {
    fc.assert(
      fc.property(fc.string(), fc.jsonValue(), fc.jsonValue(), (key, one, other) => {
        const name = JSON.stringify(key)
        const text = `[{"x": ${JSON.stringify(one)}}, {${name}: ${JSON.stringify(one)}, ${name}: ${JSON.stringify(other)}}]`
        assert.ok(find(text)?.startsWith('/1/'))
      })
    )
  })

  it('is looked for in nesting that no call could follow', () => {
    const depth = 200_000
    assert.equal(find('['.repeat(depth) + '{"a":1,"a":2}' + ']'.repeat(depth))?.slice(0, 4), '/0/0')
  })
})
