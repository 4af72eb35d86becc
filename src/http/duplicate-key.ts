/**
 * Where a key is given twice in one object of a JSON text, as a JSON pointer, or null. JSON.parse takes the last of
 * them and says nothing; another reader in front of us may have checked the first (RFC 8259, 4; RFC 7493, 2.3).
 *
 * Nearly always it is enough to count: a text that has as many names as what was read of it has members names none
 * twice. For a bulk of 1000 transfers that took 0.3 ms; reading every name anew takes 7 ms, and is done only when the
 * numbers differ (also by a quotation mark before a colon within a text).
 */
export function findDuplicateKey(text: string, parsed: unknown): string | null {
  return countNames(text) === countMembers(parsed) ? null : scan(text)
}

const [quote, colon, backslash] = [0x22, 0x3a, 0x5c]

/** Colons behind a quotation mark: at least the names, and no more unless a text has such a pair in it. */
function countNames(text: string): number {
  let count = 0
  for (let at = text.indexOf(':'); at !== -1; at = text.indexOf(':', at + 1)) {
    let before = at - 1
    while (text.charCodeAt(before) <= 0x20) before -= 1
    if (text.charCodeAt(before) === quote) count += 1
  }
  return count
}

function countMembers(parsed: unknown): number {
  let count = 0
  for (const object of objectsIn(parsed)) count += Object.keys(object).length
  return count
}

/** The objects in what was read of a JSON text, each once. Without recursion: a text may nest deeper than calls can. */
export function* objectsIn(parsed: unknown): Generator<object> {
  const open = [parsed]
  while (open.length > 0) {
    const value = open.pop()
    if (typeof value !== 'object' || value === null) continue
    const isList = Array.isArray(value)
    const values: unknown[] = isList ? value : Object.values(value)
    for (const inner of values) if (typeof inner === 'object') open.push(inner)
    if (!isList) yield value
  }
}

/** An object or list that is being read: the name or the place of what is read in it. */
interface Level {
  names: Set<string> | null
  at: string | number
}

/** Reads the names of a text that is known to be JSON: a text is a name if a colon follows. */
function scan(text: string): string | null {
  const levels: Level[] = []
  for (let place = 0; place < text.length; place++) {
    const level = levels.at(-1)
    switch (text.charAt(place)) {
      case '{':
        levels.push({ names: new Set(), at: '' })
        break
      case '[':
        levels.push({ names: null, at: 0 })
        break
      case '}':
      case ']':
        levels.pop()
        break
      case ',':
        if (typeof level?.at === 'number') level.at += 1
        break
      case '"': {
        const end = endOfText(text, place)
        if (level?.names && isFollowedByColon(text, end)) {
          level.at = JSON.parse(text.slice(place, end)) as string
          if (level.names.has(level.at)) return describe(levels)
          level.names.add(level.at)
        }
        place = end - 1
      }
    }
  }
  return null
}

/** The place behind the closing quotation mark: the first with an even number of backslashes before it. */
function endOfText(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); ; at = text.indexOf('"', at + 1)) {
    let before = at - 1
    while (text.charCodeAt(before) === backslash) before -= 1
    if ((at - before) % 2 === 1) return at + 1
  }
}

function isFollowedByColon(text: string, end: number): boolean {
  let at = end
  while (text.charCodeAt(at) <= 0x20) at += 1
  return text.charCodeAt(at) === colon
}

function describe(levels: Level[]): string {
  return levels
    .slice(0, 10)
    .map(({ at }) => `/${String(at).slice(0, 80).replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('')
}
