/**
 * Characters that change nothing that is seen, or change how the rest is seen: controls, format characters (zero-width
 * ones and the marks that turn the direction of writing among them), line separators, fillers and selectors, private
 * and unassigned code points, and halves of surrogate pairs. A name that has one is not the name that it looks like.
 */
const forbidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u

/** Most texts are of these only, and then nothing else has to be looked at. */
const printableAscii = /^[\x20-\x7e]*$/

/** The first character of a text that must not be in it and which one in the text it is, in words; or null. */
export function findForbiddenCharacter(text: string): string | null {
  const found = printableAscii.test(text) ? null : forbidden.exec(text)
  if (found === null) return null
  return `${describeCharacter(found[0])} as character ${countCharacters(text.slice(0, found.index)) + 1}`
}

/** Those that people meet, by the names that explain them. */
const names: Record<string, string> = {
  '\0': 'a null character',
  '\t': 'a tab',
  '\n': 'a line break',
  '\r': 'a line break',
  '\u00a0': 'a space that does not break',
  '\u00ad': 'a soft hyphen',
  '\u200b': 'a zero-width space',
  '\u200c': 'a zero-width non-joiner',
  '\u200d': 'a zero-width joiner',
  '\u200e': 'a mark for writing from left to right',
  '\u200f': 'a mark for writing from right to left',
  '\u202d': 'a mark that turns the writing around',
  '\u202e': 'a mark that turns the writing around',
  '\ufeff': 'a byte order mark'
}

/** A character by its number, with what it is where that can be told: `U+202E (a mark that turns the writing around)`. */
export function describeCharacter(character: string): string {
  const codePoint = character.codePointAt(0) ?? 0
  const number = `U+${codePoint.toString(16).toUpperCase().padStart(4, '0')}`
  const name = names[character] ?? describeKind(character)
  return `${number} (${name})`
}

function describeKind(character: string): string {
  if (!forbidden.test(character)) return `"${character}"`
  if (/\p{Cs}/u.test(character)) return 'half of a surrogate pair'
  if (/\p{Cc}/u.test(character)) return 'a control character'
  return /[\p{Cn}\p{Co}]/u.test(character) ? 'no assigned character' : 'an invisible character'
}

/** The length of a text as people, ISO 20022 and JSON Schema count it: by code points. */
export function countCharacters(text: string): number {
  if (printableAscii.test(text)) return text.length
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0)
}
