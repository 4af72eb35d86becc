import type { BankAnswer, BankConnector, PaymentOrder } from '../banking/connector.ts'
import type { Context } from '../context.ts'
import { backoffMs } from '../domain/backoff.ts'
import type { Currency } from '../domain/money.ts'
import { transferId } from '../domain/reference.ts'
import type { TransferStatus } from '../domain/status.ts'
import { claimChunks, recordResults, renewLeases } from './queries.ts'

type ClaimedRow = Awaited<ReturnType<typeof claimChunks>>[number]

/** Chunks of one bulk that this process may work on until their lease ends. */
export interface Claim {
  organization_id: number
  bulk_no: bigint
  chunk_nos: number[]
  epochs: number[]
  transfers: ClaimedRow[]
}

/** What is to be recorded of one transfer. */
export interface Result {
  seq: number
  status: TransferStatus
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
  const rows = await claimChunks(context.db, {
    worker,
    lease_ms: context.settings.LEASE_MS,
    chunk_limit: chunkLimit
  })
  const [first] = rows
  if (!first) return null
  const epochs = new Map(rows.map((row) => [row.chunk_no, row.epoch]))
  return {
    organization_id: first.organization_id,
    bulk_no: first.bulk_no,
    chunk_nos: [...epochs.keys()],
    epochs: [...epochs.values()],
    transfers: rows
  }
}

/** Asks the bank about every transfer of a claim, with no transaction open, while keeping the lease alive. */
export async function askBank(context: Context, claim: Claim): Promise<Result[]> {
  const renewal = setInterval(() => {
    renewLeases(context.db, { ...leaseOf(claim), lease_ms: context.settings.LEASE_MS }).catch(
      (error: unknown) => {
        // A lease that cannot be renewed runs out; the fence then refuses what this claim records.
        context.log.warn({ err: error, bulk_no: claim.bulk_no.toString() }, 'could not renew a lease')
      }
    )
  }, context.settings.LEASE_MS / 3)
  // One draw for the whole claim: transfers that share a due time go on in one chunk. A draw for each made a chunk of
  // nearly every transfer when the bank was away, and 3000 of them then took 12 s instead of 2.
  const random = context.random.fraction()
  try {
    return await Promise.all(claim.transfers.map((transfer) => askAboutTransfer(context, transfer, random)))
  } finally {
    clearInterval(renewal)
  }
}

/** Records results of all transfers of a claim; returns the bulk's status, or null if the lease had been lost. */
export async function recordClaim(context: Context, claim: Claim, results: Result[]): Promise<string | null> {
  if (results.length !== claim.transfers.length) throw new Error('a claim is recorded whole or not at all')
  const [recorded] = await recordResults(context.db, {
    ...leaseOf(claim),
    seqs: results.map((result) => result.seq),
    statuses: results.map((result) => result.status),
    reason_codes: results.map((result) => result.reason_code),
    reasons: results.map((result) => result.reason),
    due_in_ms: results.map((result) => result.due_in_ms)
  })
  return recorded?.bulk_status ?? null
}

function leaseOf({ organization_id, bulk_no, chunk_nos, epochs }: Claim) {
  return { organization_id, bulk_no, chunk_nos, epochs }
}

async function askAboutTransfer(context: Context, transfer: ClaimedRow, random: number): Promise<Result> {
  const fresh = isFresh(transfer)
  if (transfer.stopped && fresh)
    return {
      seq: transfer.seq,
      status: 'CANCELLED',
      reason_code: null,
      reason: 'on_failure is stop',
      due_in_ms: 0
    }
  const order = paymentOrder(transfer)
  return interpretAnswer(await ask(context.bank, transfer, order), transfer, random)
}

/**
 * Sends a transfer that is fresh, asks about one that may have been sent. What an idempotent bank does not know goes
 * out again at once and stays UNKNOWN until it ends: put back to PENDING it could be cancelled (on_failure stop), and
 * a holder that slept since before its lease ran out could still wake up and send it.
 */
async function ask(bank: BankConnector, transfer: ClaimedRow, order: PaymentOrder): Promise<BankAnswer> {
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

function paymentOrder(transfer: ClaimedRow): PaymentOrder {
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

/** What a bank's answer makes of a transfer. Only the bank's own word ends one. */
export function interpretAnswer(
  answer: BankAnswer,
  transfer: { seq: number; status: string; epoch: number; attempts: number },
  random: number
): Result {
  const { seq } = transfer
  const goesOn = (
    status: TransferStatus,
    reason: string,
    due_in_ms = backoffMs(transfer.attempts, random)
  ): Result => ({
    seq,
    status,
    reason_code: null,
    reason,
    due_in_ms
  })
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
      // The bank never received it, so it goes out again, under the same reference; unless it had said otherwise.
      return goesOn(transfer.status === 'SENT' ? 'UNKNOWN' : 'PENDING', 'the bank does not know it')
    case 'unknown':
      return goesOn(stillOpen, answer.cause)
  }
}
