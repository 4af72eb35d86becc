import type { StatementEntry } from '../banking/connector.ts'
import type { Context } from '../context.ts'
import { amountOrNone } from '../domain/money.ts'
import { parseTransferId, transferId } from '../domain/reference.ts'
import { receiveNotices } from '../execution/notices.ts'
import { openIncident, resolveOthers, type Incident, type IncidentKind } from '../incidents/incidents.ts'
import { findMissing, findMissingReturns, insertEntries, readTime, resolveFound } from './queries.ts'

/** How far the reconciliation has come; kept with the job, so that it goes on where it stopped. */
export interface Reconciled {
  /** Place in the bank's statement; null is its beginning. */
  cursor: string | null
  /** Bulks that became final until then have been looked for in the statement. */
  compared_until: string
  /** Since when the bank has not shown its statement, or null. */
  not_shown_since: string | null
}

export const notReconciled: Reconciled = {
  cursor: null,
  compared_until: '1970-01-01T00:00:00.000Z',
  not_shown_since: null
}

/** A bank may book a payment a little later than it says that it executed it. */
const graceMs = 60_000
const missingPerRun = 100
/** A bank may be away for a while; nobody has to be woken up for that. */
const notShownMs = 5 * 60_000

/**
 * Reads the bank's statement on from where it was left and compares each line with the ledger, and each transfer that
 * ended with the statement. What does not agree opens an incident. The statement is the bank's word as well: it ends
 * an UNKNOWN transfer, and books a return of which no callback told. `keep` is told how far it has come, after every
 * page, and says whether to go on; a page that is read twice changes nothing.
 */
export async function reconcile(
  context: Context,
  from: Reconciled,
  keep: (reached: Reconciled, progress: string) => Promise<'go-on' | 'stop'>
): Promise<{ reached: Reconciled; result: string }> {
  const [time] = await readTime(context.db, {})
  const now = time?.now ?? new Date(0)
  const until = new Date(now.getTime() - graceMs)
  let { cursor } = from
  let lines = 0
  for (;;) {
    const page = await context.bank.readStatement(cursor)
    if (page.outcome === 'unavailable')
      return notShown(context, { ...from, cursor }, { now, cause: page.cause })
    if (page.has_more && page.next_cursor === cursor)
      return notShown(context, { ...from, cursor }, { now, cause: 'it does not go on' })
    if (page.entries.length > 0) await compareEntries(context, page.entries)
    lines += page.entries.length
    cursor = page.next_cursor
    const then = await keep({ ...from, cursor }, `${lines} lines compared`)
    if (!page.has_more) break
    if (then === 'stop')
      return { reached: { ...from, cursor }, result: `${lines} lines compared, to be continued` }
  }
  const missing = await reportMissing(context, new Date(from.compared_until), until)
  await resolveFound(context.db, {})
  if (from.not_shown_since !== null)
    await resolveOthers(context.db, { kind: 'statement-not-shown', subjects: [] })
  // What was too much to report at once is found again, as long as it is missing.
  const compared_until = missing < missingPerRun ? until.toISOString() : from.compared_until
  return {
    reached: { cursor, compared_until, not_shown_since: null },
    result: `${lines} lines compared, ${missing} transfers missing`
  }
}

async function notShown(context: Context, reached: Reconciled, { now, cause }: { now: Date; cause: string }) {
  const since = reached.not_shown_since ?? now.toISOString()
  const result = `the bank does not show its statement: ${cause}`
  if (now.getTime() - Date.parse(since) >= notShownMs)
    await openIncident(context, {
      kind: 'statement-not-shown',
      subject: "the bank's statement",
      details: `since ${since} ${result}`,
      organization_id: null,
      bulk_no: null,
      seq: null
    })
  return { reached: { ...reached, not_shown_since: since }, result }
}

type Line = Awaited<ReturnType<typeof insertEntries>>[number]

async function compareEntries(context: Context, entries: StatementEntry[]): Promise<void> {
  const read = entries.map((entry) => ({ entry, id: parseTransferId(entry.reference) }))
  const ours = read.flatMap(({ entry, id }) => (id === null ? [] : [{ ...entry, ...id }]))
  const rows = await insertEntries(context.db, {
    entry_nos: ours.map(({ entry_no }) => entry_no),
    kinds: ours.map(({ kind }) => kind),
    bulk_references: ours.map(({ bulk_reference }) => bulk_reference),
    seqs: ours.map(({ seq }) => seq),
    amounts_minor: ours.map(({ amount, currency }) => amountOrNone(amount, currency)),
    currencies: ours.map(({ currency }) => currency),
    ibans: ours.map(({ counterparty_iban }) => counterparty_iban),
    booked_ats: ours.map(({ booked_at }) => booked_at.toISOString())
  })
  const lineOf = new Map(rows.map((row) => [row.entry_no, row]))
  const pairs = entries.map((entry) => ({ entry, line: lineOf.get(entry.entry_no) }))
  await passOn(context, pairs)
  await reportUnexpected(context, pairs)
  for (const { entry, line } of pairs)
    if (line !== undefined && line.bulk_no !== null) await reportDifference(context, entry, line)
}

/** So many of a page are told one by one; a bank that others use as well would else raise an alarm for each payment. */
const unexpectedOneByOne = 10

async function reportUnexpected(
  context: Context,
  pairs: { entry: StatementEntry; line: Line | undefined }[]
): Promise<void> {
  const found = pairs.filter(({ line }) => line === undefined || line.bulk_no === null)
  const [first] = found
  const last = found.at(-1)
  if (first === undefined || last === undefined) return
  if (found.length <= unexpectedOneByOne) {
    for (const { entry, line } of found)
      await openIncident(
        context,
        describeEntry('unexpected-at-bank', { entry, line }, 'there is no such transfer')
      )
    return
  }
  await openIncident(context, {
    kind: 'unexpected-at-bank',
    subject: `entries ${first.entry.entry_no} to ${last.entry.entry_no} of the bank's statement`,
    details: `${found.length} of them are of no transfer of ours, the first of ${first.entry.reference}`,
    organization_id: null,
    bulk_no: null,
    seq: null
  })
}

/** What the ledger does not have yet, or otherwise, goes the way of everything that the bank tells by itself. */
async function passOn(
  context: Context,
  pairs: { entry: StatementEntry; line: Line | undefined }[]
): Promise<void> {
  const news = pairs.filter(
    ({ entry, line }) =>
      line?.agrees &&
      (entry.kind === 'RETURN'
        ? line.returned_minor !== amountOrNone(entry.amount, entry.currency)
        : line.outcome !== 'EXECUTED')
  )
  if (news.length === 0) return
  const notices = news.map(({ entry }) => ({
    ...entry,
    notice_id: `entry-${entry.entry_no}`,
    status: entry.kind === 'RETURN' ? ('RETURNED' as const) : ('EXECUTED' as const)
  }))
  await receiveNotices(context, notices, 'statement')
}

function describeEntry(
  kind: IncidentKind,
  { entry, line }: { entry: StatementEntry; line: Line | undefined },
  details: string
): Incident {
  return {
    kind,
    subject: `entry ${entry.entry_no} of the bank's statement`,
    details: `${entry.kind} ${entry.amount} ${entry.currency} of ${entry.reference}: ${details}`,
    organization_id: line?.organization_id ?? null,
    bulk_no: line?.bulk_no ?? null,
    seq: parseTransferId(entry.reference)?.seq ?? null
  }
}

async function reportDifference(context: Context, entry: StatementEntry, line: Line): Promise<void> {
  const report = (kind: IncidentKind, details: string) =>
    openIncident(context, describeEntry(kind, { entry, line }, details))
  if (!line.agrees) await report('different-at-bank', 'the transfer has another amount, currency or payee')
  else if (line.earlier_entry_no !== null)
    await report('booked-twice-at-bank', `it was booked as entry ${line.earlier_entry_no} before`)
}

async function reportMissing(context: Context, after: Date, until: Date): Promise<number> {
  const span = { after, until, limit: missingPerRun }
  const debits = await findMissing(context.db, span)
  const returns = await findMissingReturns(context.db, span)
  const report = ({ bulk_reference, ...transfer }: (typeof debits)[number], what: string, is: string) =>
    openIncident(context, {
      kind: 'missing-at-bank',
      subject: `${what} ${transferId(bulk_reference, transfer.seq)}`,
      details: `it is ${is}, and the bank's statement does not have it`,
      ...transfer
    })
  for (const transfer of debits) await report(transfer, 'transfer', 'EXECUTED')
  for (const transfer of returns) await report(transfer, 'return of transfer', 'booked here')
  return Math.max(debits.length, returns.length)
}
