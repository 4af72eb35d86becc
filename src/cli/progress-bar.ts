import type { WriteStream } from 'node:tty'
import { styleText } from 'node:util'
import type { z } from 'zod'
import type { bulkStatus } from '../http/schemas.ts'

export type Progress = z.infer<typeof bulkStatus>

/** The parts of a bulk, in the order of the bar. Each has a sign of its own, so that it reads without colour too. */
const parts = [
  { key: 'executed', label: 'executed', sign: '█', colour: 'green' },
  { key: 'failed', label: 'failed', sign: '×', colour: 'red' },
  { key: 'unknown', label: 'unknown', sign: '?', colour: 'yellow' },
  { key: 'cancelled', label: 'cancelled', sign: '-', colour: 'gray' },
  { key: 'processing', label: 'in flight', sign: '▒', colour: 'cyan' },
  { key: 'pending', label: 'pending', sign: '░', colour: 'gray' }
] as const

interface Span {
  text: string
  colour?: (typeof parts)[number]['colour']
}

/** The picture of a bulk's progress as lines of fewer than `columns` characters, colours not counted. */
export function renderProgress(
  progress: Progress,
  view: { elapsed_ms: number; columns: number; colour: boolean; note?: string | undefined }
): string[] {
  const percent = ` ${formatPercent(progress).padStart(5)} %`
  // The last column stays empty: a terminal that has filled it may wrap, or erase the character in it.
  const width = Math.max(view.columns - 1, 0)
  const lines: Span[][] = [
    [...renderBar(progress, width - percent.length), { text: percent }],
    ...renderTable(progress),
    [{ text: `  ${formatPace(progress, view.elapsed_ms)}` }],
    ...(view.note === undefined ? [] : [[{ text: `  ${view.note}` }]])
  ]
  return lines.map((spans) => paint(cut(spans, width), view.colour))
}

/** The progress as one line, for logs and pipes. */
export function renderProgressLine(progress: Progress, elapsed_ms: number): string {
  const { executed, failed, unknown, processing, pending, cancelled, total, currency } = progress
  const counts = [
    `executed ${executed.count} of ${total.count} (${groupDigits(executed.amount)} of ${groupDigits(total.amount)} ${currency})`,
    `failed ${failed.count}`,
    `unknown ${unknown.count}`,
    ...(cancelled.count > 0 ? [`cancelled ${cancelled.count}`] : []),
    `in flight ${processing.count}`,
    `pending ${pending.count}`,
    formatPace(progress, elapsed_ms)
  ]
  return `${formatPercent(progress).padStart(5)} %  ${counts.join(', ')}`
}

/** "3218983.43" as "3,218,983.43". */
export function groupDigits(decimal: string): string {
  return decimal.replace(/\B(?=(?:\d{3})+(?:\.|$))/g, ',')
}

interface ProgressDisplay {
  show: (progress: Progress, elapsed_ms: number, note?: string) => void
}

/** Draws progress in place on a terminal; elsewhere writes a line whenever another tenth is done. */
export function openProgressDisplay(
  output: WriteStream,
  environment: Record<string, string | undefined>
): ProgressDisplay {
  if (!output.isTTY || environment['TERM'] === 'dumb') return lineDisplay(output)
  const colour = (environment['NO_COLOR'] ?? '') === ''
  let drawn = 0
  return {
    show(progress, elapsed_ms, note) {
      const lines = renderProgress(progress, { elapsed_ms, columns: output.columns, colour, note })
      // One write, each line overwritten before its rest is erased: there is no instant at which the picture is gone.
      const up = drawn > 0 ? `\x1b[${drawn}A` : ''
      output.write(`${up}${lines.map((line) => `\r${line}\x1b[K\n`).join('')}\x1b[J`)
      drawn = lines.length
    }
  }
}

function lineDisplay(output: WriteStream): ProgressDisplay {
  let shown = -1
  let lastNote: string | undefined
  return {
    show(progress, elapsed_ms, note) {
      const tenths = Math.floor((countEnded(progress) * 10) / progress.total.count)
      if (tenths !== shown) output.write(`${renderProgressLine(progress, elapsed_ms)}\n`)
      if (note !== undefined && note !== lastNote) output.write(`  ${note}\n`)
      shown = tenths
      lastNote = note
    }
  }
}

/** Cells in proportion, at least one for whatever there is: a single failure of a thousand is seen. */
function renderBar(progress: Progress, width: number): Span[] {
  const cells = parts.map(({ key, sign, colour }) => {
    const { count } = progress[key]
    return {
      sign,
      colour,
      count,
      cells: count === 0 ? 0 : Math.max(1, Math.floor((count * width) / progress.total.count))
    }
  })
  const [largest] = cells.toSorted((a, b) => b.count - a.count)
  if (largest) largest.cells = Math.max(0, largest.cells + width - cells.reduce((sum, c) => sum + c.cells, 0))
  return cells.map((part) => ({ text: part.sign.repeat(part.cells), colour: part.colour }))
}

function renderTable(progress: Progress): Span[][] {
  const rows = parts.filter(({ key }) => key !== 'cancelled' || progress.cancelled.count > 0)
  const countWidth = progress.total.count.toString().length
  const amountWidth = groupDigits(progress.total.amount).length
  return rows.map(({ key, label, sign, colour }) => {
    const { count, amount } = progress[key]
    const figures = `${count.toString().padStart(countWidth)}   ${groupDigits(amount).padStart(amountWidth)}`
    return [{ text: `  ${sign} `, colour }, { text: `${label.padEnd(10)} ${figures} ${progress.currency}` }]
  })
}

/** Rounded down: 100.0 is said only of a bulk whose last transfer has ended. */
function formatPercent(progress: Progress): string {
  return (Math.floor((countEnded(progress) * 1000) / progress.total.count) / 10).toFixed(1)
}

function formatPace(progress: Progress, elapsed_ms: number): string {
  const seconds = elapsed_ms / 1000
  const pace = seconds > 0 ? Math.round(countEnded(progress) / seconds) : 0
  return `${groupDigits(pace.toString())} transfers/s   ${seconds.toFixed(1)} s`
}

function countEnded({ executed, failed, cancelled }: Progress): number {
  return executed.count + failed.count + cancelled.count
}

function cut(spans: Span[], width: number): Span[] {
  let left = width
  return spans.map((span) => {
    const text = span.text.slice(0, Math.max(left, 0))
    left -= text.length
    return { ...span, text }
  })
}

function paint(spans: Span[], colour: boolean): string {
  return spans
    .map((span) =>
      colour && span.colour !== undefined && span.text !== ''
        ? styleText(span.colour, span.text, { validateStream: false })
        : span.text
    )
    .join('')
}
