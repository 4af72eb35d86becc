import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { WriteStream } from 'node:tty'
import { stripVTControlCharacters } from 'node:util'
import {
  groupDigits,
  openProgressDisplay,
  renderProgress,
  renderProgressLine,
  type Progress
} from '../../src/cli/progress-bar.ts'
import { formatAmount } from '../../src/domain/money.ts'

type Counts = Partial<
  Record<'executed' | 'failed' | 'unknown' | 'cancelled' | 'processing' | 'pending', number>
>

/** The status of a bulk with so many transfers of 3,000.01 EUR in each state. */
function aProgress(counts: Counts): Progress {
  const share = (count: number) => ({ count, amount: formatAmount(BigInt(count) * 3_000_01n, 'EUR') })
  const { executed = 0, failed = 0, unknown = 0, cancelled = 0, processing = 0, pending = 0 } = counts
  const total = executed + failed + unknown + cancelled + processing + pending
  return {
    bulk_id: '123e4567-e89b-12d3-a456-426614174000',
    status: 'PROCESSING',
    final: false,
    held: false,
    needs_attention: false,
    currency: 'EUR',
    total: share(total),
    executed: share(executed),
    failed: share(failed),
    unknown: share(unknown),
    cancelled: share(cancelled),
    processing: share(processing),
    pending: share(pending),
    returned: share(0),
    progress: (executed + failed + cancelled) / total,
    accepted_at: '2026-11-22T12:00:00.000Z',
    completed_at: null,
    version: 1
  }
}

const cases: Counts[] = [
  { pending: 1000 },
  { pending: 600, processing: 400 },
  { executed: 333, failed: 1, unknown: 1, processing: 165, pending: 500 },
  { executed: 1, failed: 1, unknown: 1, cancelled: 1, processing: 1, pending: 995 },
  { executed: 999, unknown: 1 },
  { failed: 1000 },
  { executed: 1000 },
  { executed: 1 },
  { executed: 2, pending: 1 }
]
const widths = [0, 1, 5, 12, 20, 40, 80, 120, 300]

describe('progress bar', () => {
  for (const counts of cases)
    it(`fits and adds up for ${JSON.stringify(counts)}`, () => {
      const progress = aProgress(counts)
      for (const columns of widths)
        for (const colour of [true, false]) {
          const lines = renderProgress(progress, {
            elapsed_ms: 12_345,
            columns,
            colour,
            note: 'away'.repeat(50)
          })
          const plain = lines.map(stripVTControlCharacters)
          assert.ok(plain.every((line) => line.length <= Math.max(columns - 1, 0)))
          if (!colour) assert.deepEqual(lines, plain)
          if (columns >= 40) assertAddsUp(progress, plain, columns)
        }
    })

  it('shows a part that is there, however small, and no part that is not', () => {
    const [bar = ''] = render({ executed: 996, failed: 1, unknown: 1, pending: 2 }, 30)
    assert.equal(bar, '██████████████████×?░  99.7 %')
  })

  it('says 100 % only when the last transfer has ended', () => {
    assert.match(render({ executed: 999_999, unknown: 1 }, 80)[0] ?? '', / 99\.9 %$/)
    assert.match(render({ executed: 999_999, failed: 1 }, 80)[0] ?? '', / 100\.0 %$/)
  })

  it('shows counts, amounts and pace', () => {
    assert.deepEqual(render({ executed: 400, failed: 10, processing: 190, pending: 400 }, 50), [
      '█████████████████×▒▒▒▒▒▒▒░░░░░░░░░░░░░░░░  41.0 %',
      '  █ executed    400   1,200,004.00 EUR',
      '  × failed       10      30,000.10 EUR',
      '  ? unknown       0           0.00 EUR',
      '  ▒ in flight   190     570,001.90 EUR',
      '  ░ pending     400   1,200,004.00 EUR',
      '  205 transfers/s   2.0 s'
    ])
  })

  it('tells the same in one line', () => {
    assert.equal(
      renderProgressLine(aProgress({ executed: 400, unknown: 1, pending: 599 }), 500),
      ' 40.0 %  executed 400 of 1000 (1,200,004.00 of 3,000,010.00 EUR), failed 0, unknown 1, in flight 0, pending 599, 800 transfers/s   0.5 s'
    )
  })

  it('groups thousands', () => {
    const expected = { '0.00': '0.00', '999.99': '999.99', '1000.00': '1,000.00', '-1234567': '-1,234,567' }
    for (const [plain, grouped] of Object.entries(expected)) assert.equal(groupDigits(plain), grouped)
  })
})

describe('progress display', () => {
  it('redraws in place on a terminal, without colour if asked', () => {
    const { output, written } = anOutput({ isTTY: true, columns: 50 })
    const display = openProgressDisplay(output, { NO_COLOR: '1' })
    display.show(aProgress({ pending: 10 }), 0)
    display.show(aProgress({ executed: 10 }), 100)
    const [first, second] = written()
    assert.ok(first !== undefined && second !== undefined && written().length === 2)
    assert.equal(first.split('\n').length - 1, 7)
    assert.ok(second.startsWith('\x1b[7A\r'))
    assert.ok(!(first + second).includes('\x1b[3'))
  })

  it('colours on a terminal', () => {
    const { output, written } = anOutput({ isTTY: true, columns: 50 })
    openProgressDisplay(output, {}).show(aProgress({ executed: 10 }), 100)
    assert.ok(written()[0]?.includes('\x1b[32m█'))
  })

  it('writes elsewhere one plain line for each tenth that is reached', () => {
    const { output, written } = anOutput({ isTTY: false })
    const display = openProgressDisplay(output, {})
    for (const executed of [0, 1, 5, 10, 15, 45, 46, 99, 100])
      display.show(aProgress({ executed, pending: 100 - executed }), 100)
    const percents = written().map((line) => line.slice(0, 7).trim())
    assert.deepEqual(percents, ['0.0 %', '10.0 %', '45.0 %', '99.0 %', '100.0 %'])
  })
})

function render(counts: Counts, columns: number): string[] {
  return renderProgress(aProgress(counts), { elapsed_ms: 2_000, columns, colour: false })
}

function assertAddsUp(progress: Progress, lines: string[], columns: number): void {
  assert.equal(lines[0]?.length, columns - 1)
  const rows = lines.flatMap((line) => {
    const match = /^ {2}\S [a-z ]+ (\d+) +([\d,.]+) EUR$/.exec(line)
    return match ? [{ count: Number(match[1]), minor: BigInt(match[2]?.replace(/\D/g, '') ?? '') }] : []
  })
  const count = rows.reduce((sum, row) => sum + row.count, 0)
  const minor = rows.reduce((sum, row) => sum + row.minor, 0n)
  assert.deepEqual({ count, amount: formatAmount(minor, 'EUR') }, progress.total)
}

function anOutput(shape: { isTTY: boolean; columns?: number }) {
  const chunks: string[] = []
  const output = {
    ...shape,
    write(chunk: string) {
      chunks.push(chunk)
      return true
    }
  }
  return { output: output as unknown as WriteStream, written: () => chunks }
}
