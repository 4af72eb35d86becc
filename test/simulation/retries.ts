import { isDeepStrictEqual } from 'node:util'
import { readBulk } from '../../src/transfers/read-bulk.ts'
import type { Acceptance } from '../../src/transfers/acceptance.ts'
import type { Submission } from '../../src/transfers/submit-bulk.ts'
import type { BulkId, World } from './world.ts'

/** A wish to send the failed transfers of a bulk again, and what its senders were told. */
export interface Retry extends BulkId {
  request_id: string
  acceptance: Acceptance | null
  accepted: number
}

/** Everything that was ever to be sent again, and whether the answers fit together. */
export class Retries {
  readonly #world: World
  readonly #all: Retry[] = []

  constructor(world: World) {
    this.#world = world
  }

  get acceptedBulks(): BulkId[] {
    return this.#all
      .filter(({ acceptance }) => acceptance)
      .map(({ organization_id, request_id }) => ({ organization_id, bulk_id: request_id }))
  }

  add(wish: Pick<Retry, 'organization_id' | 'bulk_id' | 'request_id'>): Retry {
    const retry = { ...wish, acceptance: null, accepted: 0 }
    this.#all.push(retry)
    return retry
  }

  /** One that was asked for before. */
  pick(): Retry | null {
    return this.#all.length > 0 ? this.#world.dice.pick(this.#all) : null
  }

  /** Judges an answer by itself and beside those before it; `replay` if it was accepted before this was asked. */
  judge(retry: Retry, submission: Submission | null, replay: boolean): void {
    const { bulk_id, request_id } = retry
    const fail = (what: string) => this.#world.fail(`retry ${request_id} of bulk ${bulk_id} ${what}`)
    if (submission === null) {
      fail('finds no such bulk, which was accepted')
      return
    }
    if (submission.outcome === 'refused') {
      const { reason } = submission.problem
      if (!reasonsToRefuse.includes(reason)) fail(`was refused: ${reason}`)
      if (replay && reason !== 'unavailable') fail(`was accepted, and its repetition refused: ${reason}`)
      return
    }
    retry.acceptance ??= submission.acceptance
    if (submission.outcome === 'accepted') retry.accepted += 1
    if (retry.accepted > 1) fail('was accepted twice')
    if (!isDeepStrictEqual(submission.acceptance, retry.acceptance)) fail('was answered in two ways')
  }

  /** Compares what its senders were told with what is stored: once nothing is on its way any more. */
  async check(): Promise<void> {
    for (const { organization_id, bulk_id, request_id, acceptance } of this.#all) {
      if (acceptance === null) continue
      const child = await readBulk(this.#world.database, organization_id, request_id)
      const agrees =
        child?.retry_of === bulk_id &&
        child.accepted_at === acceptance.accepted_at &&
        child.total.count === acceptance.transfer_count
      if (!agrees) this.#world.fail(`retry ${request_id} of bulk ${bulk_id} is not stored as it was answered`)
    }
  }
}

const reasonsToRefuse = ['nothing-to-retry', 'insufficient-account-balance', 'unavailable']
