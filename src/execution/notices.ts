import type { BankAnswer } from '../banking/connector.ts'
import type { BankNotice } from '../banking/bank-notice.ts'
import type { Context } from '../context.ts'
import { amountOrNone } from '../domain/money.ts'
import { parseTransferId, transferId } from '../domain/reference.ts'
import { openIncident } from '../incidents/incidents.ts'
import {
  hurryTransfers,
  insertNotices,
  insertResolution,
  selectResultNotices,
  settleNoticeRows,
  takeDueNotices
} from './notice-queries.ts'
import { recordReturn } from './record-return.ts'

/** What became of a notice: kept, or why not. `outcome` is the end that the transfer has, or null. */
export interface Receipt {
  notice: BankNotice
  verdict: 'kept' | 'unknown-payment' | 'different-payment'
  organization_id: number | null
  bulk_no: bigint | null
  outcome: string | null
}

/**
 * Keeps what the bank told by itself, durably and each saying once; what follows from it is done by settleNotices. A
 * notice that does not fit its transfer is not kept.
 */
export async function receiveNotices(
  context: Context,
  notices: BankNotice[],
  source: 'callback' | 'statement'
): Promise<Receipt[]> {
  const read = notices.map((notice) => ({ notice, id: parseTransferId(notice.reference) }))
  const ours = read.flatMap(({ notice, id }) => (id === null ? [] : [{ ...notice, ...id }]))
  const rows = await insertNotices(context.db, {
    source,
    notice_ids: ours.map(({ notice_id }) => notice_id),
    bulk_references: ours.map(({ bulk_reference }) => bulk_reference),
    seqs: ours.map(({ seq }) => seq),
    statuses: ours.map(({ status }) => (status === 'REJECTED' ? 'FAILED' : status)),
    amounts_minor: ours.map(({ amount, currency }) => amountOrNone(amount, currency)),
    currencies: ours.map(({ currency }) => currency),
    ibans: ours.map(({ counterparty_iban }) => counterparty_iban),
    reason_codes: ours.map(({ status, reason_code }) =>
      status === 'REJECTED' ? (reason_code ?? 'NARR') : reason_code
    ),
    reasons: ours.map(({ reason }) => reason)
  })
  const next = rows.values()
  const receipts = read.map(({ notice, id }): Receipt => {
    const row = id === null ? undefined : next.next().value
    if (row === undefined || row.bulk_no === null)
      return { notice, verdict: 'unknown-payment', organization_id: null, bulk_no: null, outcome: null }
    return { notice, verdict: row.fits ? 'kept' : 'different-payment', ...row }
  })
  for (const receipt of receipts)
    if (receipt.verdict === 'different-payment') await openDifference(context, receipt, source)
  return receipts
}

async function openDifference(context: Context, { notice, ...receipt }: Receipt, source: string) {
  await openIncident(context, {
    kind: 'different-at-bank',
    subject: `transfer ${notice.reference}`,
    details: `by ${source} it was told to be ${notice.status} with ${notice.amount} ${notice.currency}; amount, currency or payee differ`,
    organization_id: receipt.organization_id,
    bulk_no: receipt.bulk_no,
    seq: parseTransferId(notice.reference)?.seq ?? null
  })
}

/**
 * What was told of transfers that may have been sent, as answers; null where the bank has to be asked all the same: it
 * told two ends, or rejected by callback. A wrong rejection would let the client send again what the bank executed, and
 * one more inquiry is cheap; an execution is believed, since that moves money out once and the statement tells if not.
 * An operator's word decides over all of it.
 */
export async function readToldAnswers(
  context: Context,
  claim: { organization_id: number; bulk_no: bigint; transfers: { seq: number }[] }
): Promise<Map<number, BankAnswer | null>> {
  const { organization_id, bulk_no, transfers } = claim
  const rows = await selectResultNotices(context.db, {
    organization_id,
    bulk_no,
    seqs: transfers.map(({ seq }) => seq)
  })
  const told = new Map<number, BankAnswer | null>()
  const decided = new Set(rows.filter(({ source }) => source === 'operator').map(({ seq }) => seq))
  for (const { seq, source, status, reason_code, reason } of rows) {
    if (decided.has(seq) && source !== 'operator') continue
    const contradicted =
      !decided.has(seq) && rows.some((other) => other.seq === seq && other.status !== status)
    if (contradicted || (status === 'FAILED' && source === 'callback')) {
      if (!told.has(seq)) told.set(seq, null)
      continue
    }
    told.set(
      seq,
      status === 'EXECUTED'
        ? { outcome: 'executed' }
        : { outcome: 'rejected', code: reason_code ?? 'NARR', message: reason ?? '' }
    )
  }
  return told
}

type DueNotice = Awaited<ReturnType<typeof takeDueNotices>>[number]

const noticesPerRound = 500

/**
 * Does what notices say, whatever their order and however often they come: of an open transfer the next inquiry comes
 * at once, and takes the notice for its answer; a return of an executed one is booked; one that contradicts the end
 * that is recorded opens an incident and changes nothing. Returns how many were looked at.
 */
export async function settleNotices(context: Context): Promise<number> {
  const due = await takeDueNotices(context.db, { limit: noticesPerRound })
  const open = due.filter(({ outcome }) => outcome === null)
  if (open.length > 0) await hurryTransfers(context.db, keysOf(open))
  const settled: DueNotice[] = []
  for (const notice of due)
    if (notice.outcome !== null && (await settleEnded(context, notice))) settled.push(notice)
  if (settled.length > 0)
    await settleNoticeRows(context.db, {
      ...keysOf(settled),
      sources: settled.map(({ source }) => source),
      notice_ids: settled.map(({ notice_id }) => notice_id)
    })
  return due.length
}

function keysOf(notices: DueNotice[]) {
  return {
    organization_ids: notices.map(({ organization_id }) => organization_id),
    bulk_nos: notices.map(({ bulk_no }) => bulk_no),
    seqs: notices.map(({ seq }) => seq)
  }
}

/** Whether it is settled; a return beside which another was booked just now is looked at again. */
async function settleEnded(context: Context, notice: DueNotice): Promise<boolean> {
  const { status, outcome, amount_minor, returned_minor } = notice
  if (status === outcome || (status === 'RETURNED' && returned_minor === amount_minor)) return true
  if (status === 'RETURNED' && outcome === 'EXECUTED' && returned_minor === null)
    return (await recordReturn(context.db, notice)).length > 0
  await openContradiction(context, notice)
  return true
}

async function openContradiction(context: Context, notice: DueNotice): Promise<void> {
  const { organization_id, bulk_no, seq, source, status, outcome, amount_minor, returned_minor } = notice
  await openIncident(context, {
    kind: 'contradictory-result',
    subject: `transfer ${transferId(notice.bulk_reference, seq)}`,
    details: `it is ${outcome ?? 'open'}${returned_minor === null ? '' : `, ${returned_minor} minor units returned`}, and by ${source} it was told to be ${status}${status === 'RETURNED' ? `, ${amount_minor} minor units` : ''}`,
    organization_id,
    bulk_no,
    seq
  })
}

export type Resolution = { outcome: 'recorded' } | { outcome: 'not-open' }

/**
 * Ends a transfer whose outcome only a person could find out, by an operator's word and evidence, which are kept. Only
 * one that is UNKNOWN or SENT, and once; a worker carries it out within seconds. What the bank says later and
 * otherwise opens an incident.
 */
export async function resolveTransfer(
  context: Pick<Context, 'db' | 'log'>,
  id: { bulk_reference: string; seq: number },
  word: { status: 'EXECUTED' | 'FAILED'; reason_code: string | null; operator: string; evidence: string }
): Promise<Resolution> {
  const transfer_id = transferId(id.bulk_reference, id.seq)
  const [row] = await insertResolution(context.db, { ...id, ...word, transfer_id })
  if (!row) return { outcome: 'not-open' }
  context.log.warn({ transfer_id, status: word.status }, 'resolved by an operator')
  return { outcome: 'recorded' }
}
