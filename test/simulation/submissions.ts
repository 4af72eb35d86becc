import { isDeepStrictEqual } from 'node:util'
import { formatAmount } from '../../src/domain/money.ts'
import type { BulkRequest } from '../../src/transfers/bulk-request.ts'
import { readBulk } from '../../src/transfers/read-bulk.ts'
import { listTransfers } from '../../src/transfers/read-transfers.ts'
import type { Acceptance, Submission } from '../../src/transfers/submit-bulk.ts'
import type { World } from './world.ts'

/** A body under a request_id, and what its senders were told so far. */
export interface Content {
  body: BulkRequest
  total_minor: bigint
  accepted: number
  acceptance: Acceptance | null
  /** Requests that got no answer, or none yet: the bulk may have been accepted all the same. */
  unanswered: number
  called_taken: boolean
}

/** Everything that clients ever submitted, and whether the answers fit together (I5 and I6). */
export class Submissions {
  readonly #world: World
  readonly #contents = new Map<string, Content[]>()

  constructor(world: World) {
    this.#world = world
  }

  /** Ids of bulks whose acceptance a client has seen. */
  get acceptedIds(): string[] {
    return [...this.#contents].filter(([, all]) => all.some(({ acceptance }) => acceptance)).map(([id]) => id)
  }

  add(body: BulkRequest, total_minor: bigint): Content {
    const content = { body, total_minor, accepted: 0, acceptance: null, unanswered: 0, called_taken: false }
    const all = this.#contents.get(body.request_id)
    if (all) all.push(content)
    else this.#contents.set(body.request_id, [content])
    return content
  }

  /** Judges an answer by itself and beside those before it; `replay` if it was accepted before this was asked. */
  judge(content: Content, submission: Submission, replay: boolean): void {
    const { request_id } = content.body
    if (submission.outcome === 'refused') {
      const { reason } = submission.problem
      if (reason === 'already-processed') content.called_taken = true
      else if (reason !== 'insufficient-account-balance' && reason !== 'unavailable')
        this.#world.fail(`I5: ${request_id} is right and was refused: ${reason}`)
      if (reason !== 'unavailable' && replay)
        this.#world.fail(`I6: ${request_id} was accepted, and its repetition refused: ${reason}`)
      return
    }
    const first = (content.acceptance ??= submission.acceptance)
    if (submission.outcome === 'accepted') content.accepted += 1
    if (content.accepted > 1) this.#world.fail(`I6: ${request_id} was accepted twice`)
    if (!isDeepStrictEqual(submission.acceptance, first))
      this.#world.fail(`I6: ${request_id} was answered in two ways`)
  }

  /** Compares what clients were told with what is stored: once nothing is on its way any more. */
  async check(): Promise<void> {
    for (const [request_id, contents] of this.#contents) {
      const wrong = await this.#compare(request_id, contents)
      if (wrong !== null) this.#world.fail(`bulk ${request_id}: ${wrong}`)
    }
  }

  async #compare(bulk_id: string, contents: Content[]): Promise<string | null> {
    const { database, organizationId } = this.#world
    const bulk = await readBulk(database, organizationId, bulk_id)
    if (bulk === null)
      return contents.some(({ acceptance, called_taken }) => acceptance || called_taken)
        ? 'I5: a client was told that it is there, and it is not'
        : null
    const query = { organization_id: organizationId, bulk_id, first_seq: 0, status: null, limit: 1000 }
    const transfers = (await listTransfers(database, query)) ?? []
    const stored = contents.find(
      ({ body, total_minor }) =>
        bulk.on_failure === body.on_failure &&
        bulk.total.amount === formatAmount(total_minor, 'EUR') &&
        isDeepStrictEqual(transfers.map(instructionOf), body.credit_transfers.map(instructionOf))
    )
    if (stored === undefined) return 'I5: what is stored is nothing that a client has sent'
    if (stored.acceptance === null && stored.unanswered === 0) return 'I5: it was refused, and is stored'
    if (stored.acceptance && stored.acceptance.accepted_at !== bulk.accepted_at)
      return 'I6: its client was told another time of acceptance'
    if (stored.called_taken) return 'I6: its own content was called other content'
    const other = contents.find(({ acceptance }) => acceptance && acceptance !== stored.acceptance)
    return other ? 'I6: two contents were accepted' : null
  }
}

function instructionOf(transfer: { amount: string; counterparty_iban: string; description: string }) {
  const { amount, counterparty_iban, description } = transfer
  return { amount, counterparty_iban, description }
}
