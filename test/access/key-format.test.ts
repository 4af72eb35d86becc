import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { makeKey, readKey } from '../../src/access/key-format.ts'

describe('an API key', () => {
  it('is read as it was made, and tells its kind', () => {
    for (const environment of ['test', 'live'] as const) {
      const { text, ...made } = makeKey(environment, randomBytes)
      assert.match(text, new RegExp(`^bh_${environment}_[0-9A-Za-z]{50}$`))
      assert.deepEqual(readKey(text), made)
      assert.ok(!text.includes(made.secret_hash.toString('hex')))
    }
  })

  it('is told from one with any single character changed', () => {
    const { text } = makeKey('test', randomBytes)
    for (let place = 0; place < text.length; place++) {
      const other = text[place] === '0' ? '1' : '0'
      assert.equal(readKey(text.slice(0, place) + other + text.slice(place + 1)), null, `place ${place}`)
    }
  })

  it('is none if it is longer, shorter, of another kind or empty', () => {
    const { text } = makeKey('test', randomBytes)
    for (const wrong of [`${text}0`, text.slice(1), text.replace('bh_test', 'bh_demo'), '', ` ${text}`])
      assert.equal(readKey(wrong), null)
  })

  it('takes each letter and digit as likely, from whatever bytes there are', () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    const { text } = makeKey('test', () => bytes)
    assert.equal(text.slice(8, 52), '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefgh')
  })
})
