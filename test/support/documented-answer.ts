import assert from 'node:assert/strict'

/** An answer as a document shows it, or as curl --include prints it. */
interface DocumentedAnswer {
  status: string
  headers: Record<string, string>
  /** JSON, or the lines of another text, in which lines of events are JSON. */
  body: unknown
}

/** Stands in documents for further fields of an object, or for any elements of a list. */
const more = '…'

/** Reads status, headers and body. */
export function readAnswer(text: string): DocumentedAnswer {
  const [head = '', ...rest] = text.replaceAll('\r\n', '\n').split('\n\n')
  const [first = '', ...lines] = head.split('\n')
  const [, status = ''] = /^HTTP\/1\.1 (\d{3} .*?) *$/.exec(first) ?? []
  assert.ok(status, `no status: ${text}`)
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim()
    ])
  )
  return { status, headers, body: readBody(rest.join('\n\n').trim()) }
}

function readBody(text: string): unknown {
  if (text.startsWith('{')) return parse(text)
  return text.split('\n').map((line) => (line.startsWith('data: ') ? parse(line.slice(6)) : line))
}

/** JSON in which `…` may stand for more. */
function parse(json: string): unknown {
  const marked = json.replaceAll(/\[…\]/g, `["${more}"]`).replaceAll(/(?<=[{,]\s*)…/g, `"${more}": 0`)
  return JSON.parse(marked)
}

/** What differs between a documented answer and a real one, but for what is different each time. */
export function differences(documented: DocumentedAnswer, actual: DocumentedAnswer): string[] {
  const headers = Object.entries(documented.headers).filter(
    ([name, value]) => mask(actual.headers[name] ?? '') !== mask(value)
  )
  return [
    ...(documented.status === actual.status ? [] : [`${actual.status}, not ${documented.status}`]),
    ...headers.map(([name, value]) => `${name}: ${actual.headers[name]}, not ${value}`),
    ...compare(documented.body, actual.body, '')
  ]
}

function compare(documented: unknown, actual: unknown, at: string): string[] {
  if (typeof documented === 'string' && typeof actual === 'string')
    return mask(documented) === mask(actual) ? [] : [`${at}: ${actual}, not ${documented}`]
  if (!isObject(documented) || !isObject(actual) || Array.isArray(documented) !== Array.isArray(actual))
    return documented === actual
      ? []
      : [`${at}: ${JSON.stringify(actual)}, not ${JSON.stringify(documented)}`]
  if (Array.isArray(documented) && documented[0] === more) return []
  const names = Object.keys(documented).filter((name) => name !== more)
  const further = more in documented ? [] : Object.keys(actual).filter((name) => !names.includes(name))
  return [
    ...further.map((name) => `${at}/${name} is not documented`),
    ...names.flatMap((name) =>
      name in actual ? compare(documented[name], actual[name], `${at}/${name}`) : [`${at}/${name} is missing`]
    )
  ]
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/** What is different each time, by its look. */
const changing: [RegExp, string][] = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '<time>'],
  [/\b[0-9A-HJKMNP-TV-Z]{26}(?=-\d+\b)/g, '<ulid>'],
  [/\b[0-9a-f]{32}\b/g, '<trace>'],
  [/\br=\d+;t=\d+/g, '<left>']
]

function mask(text: string): string {
  return changing.reduce((masked, [look, name]) => masked.replaceAll(look, name), text)
}
