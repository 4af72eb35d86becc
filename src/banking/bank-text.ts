/** What a bank wrote as JSON, or null, which no body of a bank is, if it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** A bank's own words as they can be stored and shown, whatever it sends. */
export function storableText(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/\p{Cc}/gu, ' ')
    .slice(0, 500)
    .toWellFormed()
}
