/**
 * Keeps the number of values of a label bounded, whatever comes from outside: the first `most` keep their names for
 * the life of this process, all others are "other".
 */
export function boundedLabel(most: number): (value: string) => string {
  const known = new Set<string>()
  return (value) => {
    if (known.has(value)) return value
    if (known.size >= most) return 'other'
    known.add(value)
    return value
  }
}
