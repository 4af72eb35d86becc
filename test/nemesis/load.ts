import { setTimeout as sleep } from 'node:timers/promises'
import { demoOrganization } from '../../src/organizations/demo-organization.ts'
import type { BulkRequest } from '../../src/transfers/bulk-request.ts'
import { aBulk, aTransfer } from '../support/builders.ts'
import type { Random } from '../support/random.ts'
import { isAccepted, readOnce, submitOnce, type History, type Status } from './history.ts'

export const closedAccount = 'DE88000000000000001004'
const clients = 6
/** Of one bulk the state is read so often at most. */
const mostReads = 10

/** Clients that submit bulks, send again what was not answered, and look what becomes of them, until they are stopped. */
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
    let status: Status | null = null
    for (let read = 0; read < mostReads && !this.#stopped && status?.final !== true; read++) {
      status = await readOnce(this.history, this.#random.pick(this.#fronts), { id, before: status })
      await sleep(50 + this.#random.below(200))
    }
  }
}

/** Half of the bulks are paid from the poor account, which is soon empty, so that funds are fought for. */
function drawBulk(random: Random): BulkRequest {
  const account = random.pick(demoOrganization.accounts)
  return aBulk({
    organization_iban: account.iban,
    on_failure: random.fraction() < 0.2 ? 'stop' : 'continue',
    credit_transfers: Array.from({ length: 1 + random.below(60) }, () =>
      aTransfer({
        amount: `${1 + random.below(300)}.${10 + random.below(90)}`,
        ...(random.fraction() < 0.05 ? { counterparty_iban: closedAccount } : {})
      })
    )
  })
}
