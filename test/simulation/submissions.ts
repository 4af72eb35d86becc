import { isDeepStrictEqual } from 'node:util'
import { formatAmount } from '../../src/domain/money.ts'
import type { BulkRequest } from '../../src/transfers/bulk-request.ts'
import { readBulk } from '../../src/transfers/read-bulk.ts'
import { listTransfers } from '../../src/transfers/read-transfers.ts'
import type { Acceptance } from '../../src/transfers/acceptance.ts'
import type { Submission } from '../../src/transfers/submit-bulk.ts'
import type { BulkId, World } from './world.ts'

/** A body under a request_id, and what its senders were told so far. */
export interface Content {
  organization_id: number
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
  /** All contents under one request_id of one organization. */
  readonly #contents = new Map<string, Content[]>()

  constructor(world: World) {
    this.#world = world
  }

  get acceptedBulks(): BulkId[] {
    return [...this.#contents.values()].flatMap((all) => {
      const accepted = all.find(({ acceptance }) => acceptance)
      return accepted
        ? [{ organization_id: accepted.organization_id, bulk_id: accepted.body.request_id }]
        : []
    })
  }

  add({
    organization_id,
    body,
    total_minor
  }: Pick<Content, 'organization_id' | 'body' | 'total_minor'>): Content {
    const content = {
      organization_id,
      body,
      total_minor,
      accepted: 0,
      acceptance: null,
      unanswered: 0,
      called_taken: false
    }
    const key = `${organization_id}/${body.request_id}`
    this.#contents.set(key, [...(this.#contents.get(key) ?? []), content])
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
    for (const [key, contents] of this.#contents) {
      const wrong = await this.#compare(contents)
      if (wrong !== null) this.#world.fail(`bulk ${key}: ${wrong}`)
    }
  }

  async #compare(contents: Content[]): Promise<string | null> {
    const { database } = this.#world
    const { organization_id, body } = contents[0]!
    const bulk_id = body.request_id
    const bulk = await readBulk(database, organization_id, bulk_id)
    if (bulk === null)
      return contents.some(({ acceptance, called_taken }) => acceptance || called_taken)
        ? 'I5: a client was told that it is there, and it is not'
        : null
    const query = { organization_id, bulk_id, first_seq: 0, status: null, limit: 1000 }
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
