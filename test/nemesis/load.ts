import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { demoOrganization } from '../../src/organizations/demo-organization.ts'
import type { BulkRequest } from '../../src/transfers/bulk-request.ts'
import { aBulk, aTransfer } from '../support/builders.ts'
import type { Random } from '../support/random.ts'
import { scenarios } from '../../src/sandbox-bank/scenarios.ts'
import { actOnce, isAccepted, readOnce, submitOnce, type Act, type History, type Status } from './history.ts'

const clients = 6
/** Of one bulk the state is read so often at most. */
const mostReads = 10

/**
 * Clients that submit bulks, look what becomes of them, cancel some and retry what failed of some, and do again what was
 * not answered, until they are stopped.
 */
export class Load {
  readonly history: History
  readonly #fronts: string[]
  readonly #random: Random
  readonly #clients: Promise<void>[]
  #stopped = false

  constructor(history: History, fronts: string[], random: Random) {
    this.history = history
    this.#fronts = fronts
    this.#random = random
    this.#clients = Array.from({ length: clients }, () => this.#run())
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#clients)
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const bulk = drawBulk(this.#random)
      const accepted = await this.#submit(bulk)
      if (accepted) await this.#follow(bulk.request_id)
      await sleep(100 + this.#random.below(400))
    }
  }

  /** Alone, or several at once as impatient clients do, or against someone who uses the same id for something else. */
  async #submit(bulk: BulkRequest): Promise<boolean> {
    const kind = this.#random.fraction()
    const rivals =
      kind < 0.7
        ? []
        : kind < 0.9
          ? [bulk, bulk]
          : [{ ...drawBulk(this.#random), request_id: bulk.request_id }]
    const accepted = await Promise.all([bulk, ...rivals].map((one) => this.#submitUntilAnswered(one)))
    return accepted.some(Boolean)
  }

  async #submitUntilAnswered(bulk: BulkRequest): Promise<boolean> {
    while (!this.#stopped) {
      const answer = await submitOnce(this.history, this.#random.pick(this.#fronts), bulk)
      if (answer !== null) return isAccepted(answer)
      // Some give up, and never learn what became of it.
      if (this.#random.fraction() < 0.1) return false
      await sleep(50 + this.#random.below(300))
    }
    return false
  }

  async #follow(id: string): Promise<void> {
    if (this.#random.fraction() < 0.2) await this.#act({ kind: 'cancel', bulk_id: id })
    const status = await this.#look(id)
    if (status === null || status.failed.count === 0 || this.#random.fraction() < 0.3) return
    const retry = { kind: 'retry', bulk_id: id, after_final: status.final } as const
    const rivals = this.#random.fraction() < 0.3 ? [retry, retry] : [retry]
    await Promise.all(rivals.map((one) => this.#act(one)))
  }

  /** Until it is answered, and at times once more; some give up. */
  async #act(what: Pick<Act, 'kind' | 'bulk_id'> & { after_final?: boolean }): Promise<void> {
    const act = { after_final: false, child_id: randomUUID(), ...what }
    while (!this.#stopped) {
      await sleep(this.#random.below(300))
      const answer = await actOnce(this.history, this.#random.pick(this.#fronts), act)
      if (this.#random.fraction() < (answer === null ? 0.1 : 0.8)) return
    }
  }

  async #look(id: string): Promise<Status | null> {
    let status: Status | null = null
    for (let read = 0; read < mostReads && !this.#stopped && status?.final !== true; read++) {
      status = await readOnce(this.history, this.#random.pick(this.#fronts), { id, before: status })
      await sleep(50 + this.#random.below(200))
    }
    return status
  }
}

/** Payees of whom the bank makes trouble, as often as they are named here. */
const trouble = [
  ...['reject-AC04', 'reject-AC04', 'reject-AM05', 'invalid-payment', '503-not-executed', '500-executed'],
  ...[
    'timeout-then-executed',
    'timeout-then-not-executed',
    'reset-before-execution',
    'reset-after-execution'
  ],
  ...['accepted-then-executed', 'accepted-then-executed', 'accepted-then-rejected', 'accepted-then-rejected'],
  ...['executed-told-before-accepted', 'duplicate-answer', 'wrong-amount', 'contradiction'],
  ...['returned-after-5s', 'returned-after-5s', 'returned-partly']
].map((name) => scenarios.find(({ scenario }) => scenario === name)!.counterparty_iban)

/** Half of the bulks are paid from the poor account, which is soon empty, so that funds are fought for. */
function drawBulk(random: Random): BulkRequest {
  const account = random.pick(demoOrganization.accounts)
  return aBulk({
    organization_iban: account.iban,
    on_failure: random.fraction() < 0.2 ? 'stop' : 'continue',
    credit_transfers: Array.from({ length: 1 + random.below(60) }, () =>
      aTransfer({
        amount: `${1 + random.below(300)}.${10 + random.below(90)}`,
        ...(random.fraction() < 0.1 ? { counterparty_iban: random.pick(trouble) } : {})
      })
    )
  })
}
