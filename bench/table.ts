import { loadavg } from 'node:os'

/** A line of the table: milliseconds per bulk of 1000 beside a floor, or one value beside its limit. */
export type Row =
  | {
      what: string
      ours: number[]
      floor: number[] | null
      budget: { kind: 'at most' | 'speed'; ratio: number } | null
    }
  | { what: string; value: string; limit: string }

/** Prints one table: medians, spread, transfers per second, the floor of the same run, the ratio and the budget. */
export function printTable(rows: Row[]): void {
  const lines = [
    ['', 'ms/1000 p50', '(min-max)', 'transfers/s', 'floor p50', 'ratio', 'budget'],
    ...rows.map(cells)
  ]
  const widths =
    lines[0]?.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length))) ?? []
  for (const line of lines)
    process.stdout.write(
      `${line.map((cell, column) => cell[column === 0 ? 'padEnd' : 'padStart'](widths[column] ?? 0)).join('  ')}\n`
    )
  process.stdout.write(
    `\nload average at the end: ${loadavg()
      .map((load) => load.toFixed(2))
      .join(' ')}; Node ${process.version}\n`
  )
}

function cells(row: Row): string[] {
  if ('value' in row) return [row.what, row.value, '', '', '', '', row.limit]
  const { ours, floor, budget } = row
  const p50 = median(ours)
  const spread = `(${Math.min(...ours).toFixed(1)}-${Math.max(...ours).toFixed(1)})`
  const speed = Math.round(1_000_000 / p50).toString()
  if (floor === null || budget === null) return [row.what, p50.toFixed(1), spread, speed, '', '', '']
  const ratio = budget.kind === 'speed' ? median(floor) / p50 : p50 / median(floor)
  const limit = budget.kind === 'speed' ? `>= ${budget.ratio}x speed` : `<= ${budget.ratio}x time`
  return [row.what, p50.toFixed(1), spread, speed, median(floor).toFixed(1), `${ratio.toFixed(2)}x`, limit]
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
