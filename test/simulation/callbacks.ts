import type { BankNotice } from '../../src/banking/bank-notice.ts'
import { receiveNotices } from '../../src/execution/notices.ts'
import { askApi } from './actors/api.ts'
import type { World } from './world.ts'

interface Callback {
  notices: BankNotice[]
  tries: number
  onHeard: (() => void) | undefined
}

const mostTries = 4
const longestDelayMs = 20_000

/**
 * What the bank tells by itself. A call may get lost, come late, twice, before the answer to the order, or in another
 * order than it was sent; one that is not answered is repeated for a while.
 */
export class Callbacks {
  /** Of which transfers something false was told: perhaps, and surely. */
  readonly contradicted = new Set<string>()
  readonly contradictionHeard = new Set<string>()
  readonly #world: World
  #count = 0
  #underWay = 0

  constructor(world: World) {
    this.#world = world
  }

  /** Whether nothing that the bank tells is still on its way. */
  get areDone(): boolean {
    return this.#underWay === 0
  }

  tell(notice: Omit<BankNotice, 'notice_id'>): void {
    this.#send([this.#name(notice)])
  }

  /**
   * The truth and something else in one call. By itself, of a transfer that is open, what is false could not be told
   * from the truth.
   */
  contradict(notice: Omit<BankNotice, 'notice_id'>, status: BankNotice['status']): void {
    const contradiction = { ...notice, status, reason_code: null, reason: null }
    this.contradicted.add(notice.reference)
    // In any order: the first of them is not the better one.
    const told = this.#world.dice.chance(0.5) ? [notice, contradiction] : [contradiction, notice]
    const both = told.map((one) => this.#name(one))
    this.#send(both, () => this.contradictionHeard.add(notice.reference))
  }

  #name(notice: Omit<BankNotice, 'notice_id'>): BankNotice {
    this.#count += 1
    return { ...notice, notice_id: `n${this.#count}` }
  }

  #send(notices: BankNotice[], onHeard?: () => void): void {
    const { dice } = this.#world
    if (this.#world.strikes('callback_lost')) return
    const copies = this.#world.strikes('callback_doubled') ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const lateMs = this.#world.strikes('callback_late') ? dice.between(0, longestDelayMs) : 0
      this.#callAfter(lateMs + this.#world.usualMs(), { notices, tries: mostTries, onHeard })
    }
  }

  #callAfter(ms: number, call: Callback): void {
    this.#underWay += 1
    this.#world.timeline.after(ms, () => void this.#call(call).finally(() => (this.#underWay -= 1)))
  }

  async #call({ notices, tries, onHeard }: Callback): Promise<void> {
    const receipts = await askApi(this.#world, (context) => receiveNotices(context, notices, 'callback'))
    if (receipts === null) {
      const ms = this.#world.dice.between(500, 5_000)
      if (tries > 1) this.#callAfter(ms, { notices, tries: tries - 1, onHeard })
      return
    }
    onHeard?.()
    for (const { notice, verdict } of receipts)
      if (verdict !== 'kept') this.#world.fail(`the bank told of ${notice.reference}, and it was ${verdict}`)
  }
}
