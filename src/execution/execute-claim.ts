import type { BankAnswer, BankConnector, PaymentOrder } from '../banking/connector.ts'
import type { Context } from '../context.ts'
import { backoffMs } from '../domain/backoff.ts'
import type { Currency } from '../domain/money.ts'
import { transferId } from '../domain/reference.ts'
import { type TransferStatus, transferTransitions } from '../domain/status.ts'
import { claimChunks, recordResults, renewLeases } from './queries.ts'

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
}

/** What is to be recorded of one transfer. */
export interface Result {
  seq: number
  status: Exclude<TransferStatus, 'PROCESSING'>
  reason_code: string | null
  reason: string | null
  due_in_ms: number
}

/** Chunks per claim: two halve the commits of one, and more would only widen what a crash leaves to be asked again. */
const chunksPerClaim = 2

/** Claims due work under a new epoch, or returns null when there is none. */
export async function claimWork(
  context: Context,
  worker: string,
  chunkLimit = chunksPerClaim
): Promise<Claim | null> {
  const { LEASE_MS: lease_ms } = context.settings
  const chunks = await claimChunks(context.db, { worker, lease_ms, chunk_limit: chunkLimit })
  const [first] = chunks
  if (!first) return null
  return {
    organization_id: first.organization_id,
    bulk_no: first.bulk_no,
    chunk_nos: chunks.map(({ chunk_no }) => chunk_no),
    epochs: chunks.map(({ epoch }) => epoch),
    transfers: chunks.flatMap(transfersOf)
  }
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
    return await askAll(context, claim)
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
  try {
    await renewLeases(context.db, { ...leaseOf(claim), lease_ms: context.settings.LEASE_MS })
  } catch (error) {
    // A lease that cannot be renewed runs out; the fence then refuses what this claim records.
    context.log.warn({ err: error, bulk_no: claim.bulk_no.toString() }, 'could not renew a lease')
  }
}

/** Transfers that are sent at one time when a failure is to stop the rest. */
const stopWindow = 10

async function askAll(context: Context, { transfers }: Claim): Promise<Result[]> {
  // One draw for the whole claim: transfers that share a due time go on in one chunk. A draw for each made a chunk of
  // nearly every transfer when the bank was away, and 3000 of them then took 12 s instead of 5.
  const random = context.random.fraction()
  if (transfers[0]?.on_failure !== 'stop')
    return Promise.all(transfers.map((transfer) => askAboutTransfer(context, transfer, random)))
  const results: Result[] = []
  let stopped = transfers[0].stopped
  for (let next = 0; next < transfers.length; next += stopWindow) {
    const window = transfers.slice(next, next + stopWindow)
    const asked = window.map(async (transfer) =>
      stopped && isFresh(transfer) ? cancelled(transfer.seq) : askAboutTransfer(context, transfer, random)
    )
    results.push(...(await Promise.all(asked)))
    stopped ||= results.some(({ status }) => status === 'FAILED')
  }
  return results
}

function cancelled(seq: number): Result {
  return { seq, status: 'CANCELLED', reason_code: null, reason: 'on_failure is stop', due_in_ms: 0 }
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
    context.log.warn({ bulk_no: claim.bulk_no.toString(), recorded }, 'a part of the lease had been lost')
  return recorded[0]?.bulk_status ?? null
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

function leaseOf({ organization_id, bulk_no, chunk_nos, epochs }: Claim) {
  return { organization_id, bulk_no, chunk_nos, epochs }
}

async function askAboutTransfer(
  context: Context,
  transfer: ClaimedTransfer,
  random: number
): Promise<Result> {
  const order = paymentOrder(transfer)
  return interpretAnswer(await ask(context.bank, transfer, order), transfer, random)
}

/**
 * Sends a transfer that is fresh, asks about one that may have been sent. What an idempotent bank does not know goes
 * out again at once and stays UNKNOWN until it ends: put back to PENDING it could be cancelled (on_failure stop), and
 * a holder that slept since before its lease ran out could still wake up and send it.
 */
async function ask(bank: BankConnector, transfer: ClaimedTransfer, order: PaymentOrder): Promise<BankAnswer> {
  const { idempotent_submit } = bank.abilities
  if (isFresh(transfer) || (transfer.status === 'PROCESSING' && idempotent_submit)) return bank.submit(order)
  const answer = await bank.inquire(order)
  const lost = answer.outcome === 'not-found' && transfer.status !== 'SENT'
  return lost && idempotent_submit ? bank.submit(order) : answer
}

/**
 * Whether a claimed transfer has surely not been sent. A chunk is claimed a second time only when its first claim was
 * never recorded (what is recorded as not accepted goes on in a new chunk), so then its transfers may have been.
 */
export function isFresh(transfer: { status: string; epoch: number }): boolean {
  return transfer.status === 'PROCESSING' && transfer.epoch === 1
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

/** A bank may ask for patience, but not park a transfer for a day by one wrong header. */
const longestRetryAfterMs = 60_000

/** What a bank's answer makes of a transfer. Only the bank's own word ends one. */
function interpretAnswer(
  answer: BankAnswer,
  transfer: { seq: number; status: string; epoch: number; attempts: number },
  random: number
): Result {
  const { seq } = transfer
  const goesOn = (status: Result['status'], reason: string, retry_after_ms = 0): Result => {
    const due_in_ms = Math.max(
      backoffMs(transfer.attempts, random),
      Math.min(retry_after_ms, longestRetryAfterMs)
    )
    return { seq, status, reason_code: null, reason, due_in_ms }
  }
  const stillOpen = transfer.status === 'SENT' ? 'SENT' : 'UNKNOWN'
  switch (answer.outcome) {
    case 'executed':
      return { seq, status: 'EXECUTED', reason_code: null, reason: null, due_in_ms: 0 }
    case 'rejected':
      return { seq, status: 'FAILED', reason_code: answer.code, reason: answer.message, due_in_ms: 0 }
    case 'taken':
      return goesOn('SENT', 'the bank has taken it; its result is to come')
    case 'not-accepted':
      // That this call was refused says nothing about an earlier one.
      return goesOn(isFresh(transfer) ? 'PENDING' : stillOpen, answer.cause, answer.retry_after_ms)
    case 'not-found':
      // Not yet, perhaps: one that may have been sent is never put back among those that surely were not.
      return goesOn('UNKNOWN', 'the bank does not know it')
    case 'unknown':
      return goesOn(stillOpen, answer.cause)
  }
}
