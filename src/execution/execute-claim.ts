import type { BankAnswer, BankConnector, CallOptions, PaymentOrder } from '../banking/connector.ts'
import { ownOrigin, type Context } from '../context.ts'
import { isUnavailable, isUniqueViolation } from '../database/errors.ts'
import type { Currency } from '../domain/money.ts'
import { transferId } from '../domain/reference.ts'
import { type TransferStatus, transferTransitions } from '../domain/status.ts'
import { cancelled, inquiryMs, interpretAnswer, isFresh, putBack, type Result } from './interpret-answer.ts'
import { readToldAnswers } from './notices.ts'
import { measureResults, measureStop } from './measure.ts'
import { claimChunks, recordResults, renewLeases, stopBulk } from './queries.ts'

type ClaimedChunk = Awaited<ReturnType<typeof claimChunks>>[number]

/** A transfer of a claim, with what it has from its chunk and its bulk. */
export interface ClaimedTransfer extends Omit<ClaimedChunk, 'transfers'> {
  seq: number
  amount_minor: bigint
  counterparty_name: string
  counterparty_bic: string
  counterparty_iban: string
  description: string
}

/** Chunks of one bulk that this process may work on until their lease ends. */
export interface Claim {
  organization_id: number
  bulk_no: bigint
  chunk_nos: number[]
  epochs: number[]
  transfers: ClaimedTransfer[]
  /** Where the next claim goes on in the circle of organizations. */
  turn_end: number
  /** By this process's stopwatch, from before the claim was made: the lease surely holds until then. */
  lease_ends_ms: number
}

export interface ClaimOptions {
  /** turn_end of the claim before: the next organization in the circle comes first. */
  after?: number
  chunk_limit?: number
}

/** Chunks per claim: two halve the commits of one, and more would only widen what a crash leaves to be asked again. */
const chunksPerClaim = 2

/** Claims due work under a new epoch, or returns null when there is none. */
export async function claimWork(
  context: Context,
  worker: string,
  options: ClaimOptions = {}
): Promise<Claim | null> {
  const { after = 0, chunk_limit = chunksPerClaim } = options
  const { LEASE_MS: lease_ms } = context.settings
  const lease_ends_ms = context.clock.elapsedMs() + lease_ms
  const chunks = await claimOrLookAgain(context, { after, worker, lease_ms, chunk_limit })
  const [first] = chunks
  if (!first) return null
  return {
    organization_id: first.organization_id,
    bulk_no: first.bulk_no,
    chunk_nos: chunks.map(({ chunk_no }) => chunk_no),
    epochs: chunks.map(({ epoch }) => epoch),
    transfers: chunks.flatMap(transfersOf),
    turn_end: first.turn_end,
    lease_ends_ms
  }
}

/** Another worker that is first to claim of a bulk of which one chunk may be out leaves the others to look again. */
async function claimOrLookAgain(context: Context, parameters: Parameters<typeof claimChunks>[1]) {
  for (let tries = 0; tries < 5; tries++) {
    try {
      return await claimChunks(context.db, parameters)
    } catch (error) {
      if (!isUniqueViolation(error, 'chunk_exclusive')) throw error
    }
  }
  return []
}

function transfersOf({ transfers, ...chunk }: ClaimedChunk): ClaimedTransfer[] {
  const rows = transfers as [number, string, string, string, string, string][]
  return rows.map(([seq, amount, counterparty_name, counterparty_bic, counterparty_iban, description]) => ({
    ...chunk,
    seq,
    amount_minor: BigInt(amount),
    counterparty_name,
    counterparty_bic,
    counterparty_iban,
    description
  }))
}

/** Asks the bank about every transfer of a claim, with no transaction open, while keeping the lease alive. */
export async function askBank(context: Context, claim: Claim): Promise<Result[]> {
  const asked = new AbortController()
  const keeping = keepLease(context, claim, asked.signal)
  try {
    // One draw for the whole claim: transfers that share a due time go on in one chunk. A draw for each made a chunk of
    // nearly every transfer when the bank was away, and 3000 of them then took 12 s instead of 5.
    const random = context.random.fraction()
    const told = claim.transfers.every(isFresh)
      ? new Map<number, BankAnswer | null>()
      : await readToldAnswers(context, claim)
    return await Promise.all(
      claim.transfers.map((transfer) => askAboutTransfer(context, { claim, transfer, told }, random))
    )
  } finally {
    asked.abort()
    // Not beside the recording: both lock the same chunks.
    await keeping
  }
}

async function keepLease(context: Context, claim: Claim, asked: AbortSignal): Promise<void> {
  for (;;) {
    await context.clock.sleep(context.settings.LEASE_MS / 3, asked)
    if (asked.aborted) return
    await renewLease(context, claim)
  }
}

async function renewLease(context: Context, claim: Claim): Promise<void> {
  const { LEASE_MS: lease_ms } = context.settings
  const lease_ends_ms = context.clock.elapsedMs() + lease_ms
  try {
    const renewed = await renewLeases(context.db, { ...leaseOf(claim), lease_ms })
    if (renewed.length === claim.chunk_nos.length) claim.lease_ends_ms = lease_ends_ms
  } catch (error) {
    // A lease that cannot be renewed runs out; the fence then refuses what this claim records.
    if (!isUnavailable(error)) context.log.warn({ err: error, ...logged(claim) }, 'could not renew a lease')
  }
}

const reasonToStop = {
  failure: 'another transfer failed, and on_failure is stop',
  earlier: 'the bulk was stopped before this was sent',
  lost: 'the bank never received it, and the bulk was stopped before it was sent again'
}

/**
 * Records results of all transfers of a claim. Returns the bulk's status, or null if this changed nothing: the lease
 * had been lost, or the same results had been recorded by a call whose answer was lost.
 */
export async function recordClaim(context: Context, claim: Claim, results: Result[]): Promise<string | null> {
  assertComplete(claim, results)
  const recorded = await recordResults(context.db, {
    ...leaseOf(claim),
    seqs: results.map((result) => result.seq),
    statuses: results.map((result) => result.status),
    reason_codes: results.map((result) => result.reason_code),
    reasons: results.map((result) => result.reason),
    due_in_ms: results.map((result) => result.due_in_ms)
  })
  if (recorded.length > 0 && recorded.length < claim.chunk_nos.length)
    context.log.warn({ ...logged(claim), recorded }, 'a part of the lease had been lost')
  measureResults(context, { transfers: claim.transfers, results, recorded })
  const [first] = recorded
  if (first?.stopped) await cancelTheRest(context, claim, results)
  return first?.bulk_status ?? null
}

/**
 * Whoever claims of a stopped bulk cancels what it claimed; this does it at once for all of it when a failure stopped
 * it, and for what this claim put back, which else would hold its money until its next try is due.
 */
async function cancelTheRest(context: Context, claim: Claim, results: Result[]): Promise<void> {
  const failed = results.some(({ status }) => status === 'FAILED')
  if (!failed && !results.some(({ status }) => status === 'PENDING')) return
  const byFailure = failed && claim.transfers[0]?.on_failure === 'stop'
  const reason = byFailure ? reasonToStop.failure : reasonToStop.earlier
  const [stopped] = await stopBulk(context.db, { ...leaseOf(claim), by_wish: false, reason, ...ownOrigin })
  measureStop(context, stopped)
}

/** A claim is recorded whole or not at all, and every transfer goes a way that it may go. */
function assertComplete(claim: Claim, results: Result[]): void {
  const statusOf = new Map(results.map(({ seq, status }) => [seq, status]))
  for (const { seq, status: from } of claim.transfers) {
    const to = statusOf.get(seq)
    const may = to === from || (to !== undefined && transferTransitions[from as TransferStatus].includes(to))
    if (!may)
      throw new Error(
        `transfer ${seq} of bulk ${claim.bulk_no} may not go from ${from} to ${to ?? 'nothing'}`
      )
  }
}

/** What a line of the log names of a claim. */
function logged({ bulk_no, transfers }: Claim) {
  return { bulk_no: bulk_no.toString(), trace_id: transfers[0]?.trace_id }
}

function leaseOf({ organization_id, bulk_no, chunk_nos, epochs }: Claim) {
  return { organization_id, bulk_no, chunk_nos, epochs }
}

async function askAboutTransfer(
  context: Context,
  question: { claim: Claim; transfer: ClaimedTransfer; told: Map<number, BankAnswer | null> },
  random: number
): Promise<Result> {
  const { claim, transfer, told } = question
  if (isFresh(transfer)) {
    if (transfer.stopped_ms !== null) return cancelled(transfer.seq, reasonToStop.earlier)
  } else if (told.size > 0) {
    // The bank told of some of them by itself; then the others are not asked about out of turn.
    const answer = told.get(transfer.seq)
    if (answer) return interpretAnswer(answer, transfer, random)
    // Sooner than those that are asked, so that they go on in a chunk of their own: in one that is hurried again and
    // again they would never come to be asked.
    if (answer === undefined && transfer.status !== 'PROCESSING')
      return putBack(transfer, inquiryMs(transfer.since_ms / 2n, random))
  }
  const answer = await ask(context, claim, transfer)
  if (answer.outcome === 'never-received' && transfer.stopped_ms !== null)
    return cancelled(transfer.seq, reasonToStop.lost)
  return interpretAnswer(answer, transfer, random)
}

/**
 * Sends a transfer that is fresh, asks about one that may have been sent. What an idempotent bank does not know goes
 * out again at once and stays UNKNOWN until it ends: put back to PENDING it could be cancelled, and a holder that slept
 * since before its lease ran out could still wake up and send it. A bank that is not idempotent is given the time
 * after which it will never execute what it does not know; so is any bank once the bulk has stopped, when nothing may be
 * sent again. What is held is asked about, and not sent again.
 */
async function ask(context: Context, claim: Claim, transfer: ClaimedTransfer): Promise<BankAnswer> {
  const { bank, clock } = context
  const { status, held, stopped_ms } = transfer
  const fresh = isFresh(transfer)
  const order = paymentOrder(transfer)
  const options: CallOptions = {
    again: !fresh || transfer.attempts > 1,
    fresh,
    trace_id: transfer.trace_id,
    // A holder that slept through its lease must not send: another may have been told that it was never sent.
    mayCall: () => clock.elapsedMs() < claim.lease_ends_ms
  }
  const maySendAgain = bank.abilities.idempotent_submit && stopped_ms === null && !held
  if (fresh || (status === 'PROCESSING' && maySendAgain)) return bank.submit(order, options)
  const answer = await bank.inquire(order, options)
  if (answer.outcome !== 'not-found' || status === 'SENT' || (held && stopped_ms === null)) return answer
  const settled = isSettled(bank, transfer)
  if (!maySendAgain) return settled ? { outcome: 'never-received' } : answer
  const repeated = await bank.submit(order, options)
  // Never received, and not taken now: then this refusal is the end.
  return settled && repeated.outcome === 'refused' ? { ...repeated, outcome: 'rejected' } : repeated
}

/**
 * Whether the bank will never execute a transfer that it does not know: its settlement window has passed since the
 * transfer was last sent. At a bank that is not idempotent that was before it became UNKNOWN. At one that is, as long as
 * its bulk goes on, it is the refusal of a repetition that says so; once the bulk has stopped, it became UNKNOWN anew
 * when whoever may have sent it last was done with it.
 */
function isSettled({ abilities }: BankConnector, { status, since_ms, stopped_ms }: ClaimedTransfer): boolean {
  if (status !== 'UNKNOWN' || since_ms <= abilities.settlement_window_ms) return false
  return !abilities.idempotent_submit || stopped_ms === null || since_ms < stopped_ms
}

function paymentOrder(transfer: ClaimedTransfer): PaymentOrder {
  return {
    reference: transferId(transfer.bulk_reference, transfer.seq),
    amount_minor: transfer.amount_minor,
    currency: transfer.currency as Currency,
    debtor_iban: transfer.debtor_iban,
    counterparty_name: transfer.counterparty_name,
    counterparty_bic: transfer.counterparty_bic,
    counterparty_iban: transfer.counterparty_iban,
    description: transfer.description
  }
}
