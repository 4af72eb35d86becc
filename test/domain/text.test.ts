import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { toSepaText } from '../../src/domain/sepa-text.ts'
import { countCharacters, describeCharacter, findForbiddenCharacter } from '../../src/domain/text.ts'

describe('text that is not what it looks like', () => {
  for (const [text, found] of [
    ['John\0Doe', 'U+0000 (a null character) as character 5'],
    ['a\tb', 'U+0009 (a tab) as character 2'],
    ['a\u007fb', 'U+007F (a control character) as character 2'],
    ['John \u202eeoD', 'U+202E (a mark that turns the writing around) as character 6'],
    ['\u2066John', 'U+2066 (an invisible character) as character 1'],
    ['Jo\u200bhn', 'U+200B (a zero-width space) as character 3'],
    ['Jo\u200dhn', 'U+200D (a zero-width joiner) as character 3'],
    ['\ufeffJohn', 'U+FEFF (a byte order mark) as character 1'],
    ['Jo\u00adhn', 'U+00AD (a soft hyphen) as character 3'],
    ['Jo\u2028hn', 'U+2028 (an invisible character) as character 3'],
    ['Jo\u3164hn', 'U+3164 (an invisible character) as character 3'],
    ['Jo\u2800hn', 'U+2800 (an invisible character) as character 3'],
    ['Jo\uffffhn', 'U+FFFF (no assigned character) as character 3'],
    ['Jo\u{e000}hn', 'U+E000 (no assigned character) as character 3'],
    ['Jo\u{10fffe}hn', 'U+10FFFE (no assigned character) as character 3'],
    ['😀\ud800', 'U+D800 (half of a surrogate pair) as character 2'],
    ['\udc00', 'U+DC00 (half of a surrogate pair) as character 1']
  ] as const)
    it(`is found: ${found}`, () => {
      assert.equal(findForbiddenCharacter(text), found)
    })

  for (const text of [
    '',
    'John Doe',
    "Müller-Lüdenscheidt O'Neil",
    'Ştefan',
    'Γιώργος',
    'Љубица',
    '李',
    '😀'
  ])
    it(`is not: "${text}"`, () => {
      assert.equal(findForbiddenCharacter(text), null)
    })

  it('is described by the character that is seen where one is seen', () => {
    assert.equal(describeCharacter('Е'), 'U+0415 ("Е")')
  })
})

describe('the length of a text', () => {
  it('counts what people count, and as JSON Schema does', () => {
    assert.deepEqual(['', 'abc', 'äöü', '😀😀', 'a😀'].map(countCharacters), [0, 3, 3, 2, 2])
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => countCharacters(text) === Array.from(text).length)
    )
  })
})

describe('the characters of SEPA', () => {
  for (const [text, sent] of [
    ["John Doe /-?:().,'+ 09", "John Doe /-?:().,'+ 09"],
    ['François Lefèvre', 'Francois Lefevre'],
    ['Jürgen Groß', 'Jurgen Gros'],
    ['Łukasz Żółć', 'Lukasz Zolc'],
    ['Søren Æbelø', 'Soren Abelo'],
    ['Þór Ðóra', 'Tor Dora'],
    ['Đurđa', 'Durda'],
    ['Ștefan Țurcanu', 'Stefan Turcanu'],
    ['Élodie', 'Elodie'],
    ['Θεόδωρος Ψαρράς', 'THeodoros PSarras'],
    ['Щерю Жеков', 'SHTeryu ZHekov'],
    ['Smith & Sons; [x]_{y}', 'Smith + Sons, (x)-(y)'],
    ['50 % @ 3 €', '50 . . 3 .'],
    ['李 😀', '. .'],
    ['–’\u00a0', "-' "]
  ] as const)
    it(`make "${sent}" of "${text}"`, () => {
      assert.equal(toSepaText(text), sent)
    })

  it('are all that is sent, and what is in them already is not touched', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const sent = toSepaText(text)
        assert.match(sent, /^[a-zA-Z0-9/\-?:().,'+ ]*$/)
        assert.equal(toSepaText(sent), sent)
      }),
      { numRuns: 500 }
    )
  })

  it('lose no character without a trace: every one leaves at least one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.ok(toSepaText(text).length >= Array.from(text.normalize('NFC')).length)
      }),
      { numRuns: 500 }
    )
  })
})
