import type { StatementEntry, StatementPage } from '../../src/banking/connector.ts'
import type { World } from './world.ts'

const linesPerPage = 3

/** The bank's statement: what it executed and what came back, line by line, each some time after it happened. */
export class BankStatement {
  readonly #world: World
  readonly #lines: StatementEntry[] = []

  constructor(world: World) {
    this.#world = world
  }

  book(line: Omit<StatementEntry, 'entry_no' | 'booked_at'>): void {
    const { options, timeline } = this.#world
    const booked_at = new Date(timeline.nowMs)
    timeline.after(options.statement_delay_ms, () => {
      this.#lines.push({ ...line, entry_no: BigInt(this.#lines.length + 1), booked_at })
    })
  }

  read(cursor: string | null): StatementPage {
    const first = Number(cursor ?? 0)
    const entries = this.#lines.slice(first, first + linesPerPage)
    const next = first + entries.length
    return { outcome: 'page', entries, next_cursor: String(next), has_more: next < this.#lines.length }
  }
}
