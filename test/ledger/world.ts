import assert from 'node:assert/strict'
import { listTransactions } from '../../src/accounts/read-accounts.ts'
import type { BankAnswer } from '../../src/banking/connector.ts'
import { parseAmount } from '../../src/domain/money.ts'
import { transferId } from '../../src/domain/reference.ts'
import { askBank, type Claim } from '../../src/execution/execute-claim.ts'
import { isFresh, type Result } from '../../src/execution/interpret-answer.ts'
import { readBulkStatus } from '../../src/transfers/read-bulk.ts'
import { payer } from '../support/builders.ts'
import type { TestContext } from '../support/context.ts'
import type { TestDatabase } from '../support/database.ts'
import * as ledger from './model.ts'
import type { Model, State } from './model.ts'

export const ibans = [payer.organization_iban, 'FR7630006000011234567890189']
export const hour = 3_600_000

export type Wish = 'executed' | 'rejected' | 'taken' | 'unknown' | 'lost' | 'not-accepted'

/** The real side: the database, the program's context and what the bank has in its book. */
export interface Real {
  database: TestDatabase
  context: TestContext
  organization_id: number
  claims: { claim: Claim; results: Result[] }[]
  /** What the bank knows of each reference. */
  book: Map<string, 'executed' | 'rejected' | 'taken'>
  versions: Map<string, number>
}

/** A bank that may be slow, lossy or out of order, but never lies. */
function answerHonestly(real: Real, reference: string, kind: 'submit' | 'inquire', wish: Wish): BankAnswer {
  const { book } = real
  if (wish === 'not-accepted') return { outcome: 'not-accepted', cause: 'http-503' }
  if (wish === 'lost') return { outcome: 'unknown', cause: 'reset' }
  const known = book.get(reference)
  const decided = wish === 'unknown' ? 'executed' : wish
  if (known === 'taken' || (known === undefined && kind === 'submit')) book.set(reference, decided)
  if (wish === 'unknown') return { outcome: 'unknown', cause: 'timeout' }
  switch (book.get(reference)) {
    case 'executed':
      return { outcome: 'executed' }
    case 'rejected':
      return { outcome: 'rejected', code: 'AC04', message: 'closed account' }
    case 'taken':
      return { outcome: 'taken' }
    case undefined:
      return { outcome: 'not-found' }
  }
}

/** Asks the bank about a claim, and tells beside the results what states the model expects of them. */
export async function ask(
  real: Real,
  claim: Claim,
  wishes: Wish[]
): Promise<{ results: Result[]; states: State[] }> {
  const { context } = real
  const last = new Map<number, BankAnswer['outcome']>()
  context.bank.script = (order, kind) => {
    const place = claim.transfers.findIndex(
      (row) => transferId(row.bulk_reference, row.seq) === order.reference
    )
    const row = claim.transfers[place]
    assert.ok(row)
    const fresh = isFresh(row)
    const lost = last.get(place) === 'not-found'
    const again = row.stopped_ms === null && (lost || row.status === 'PROCESSING')
    assert.equal(kind, fresh || again ? 'submit' : 'inquire')
    assert.ok(!(fresh && row.stopped_ms !== null), 'a stopped bulk sends nothing more')
    const answer = answerHonestly(real, order.reference, kind, wishes[place % wishes.length]!)
    if (real.book.get(order.reference) === 'executed') context.bank.executed.set(order.reference, order)
    last.set(place, answer.outcome)
    return answer
  }
  const results = await askBank(context, claim)
  const isOver = context.bank.abilities.settlement_window_ms < 0
  const states = claim.transfers.map((row, place) => {
    const answer = last.get(place) ?? 'nothing'
    const stopped = row.stopped_ms !== null && row.since_ms < row.stopped_ms
    const never = answer === 'not-found' && row.status === 'UNKNOWN' && stopped && isOver
    const transfer = { fresh: isFresh(row), status: row.status }
    return ledger.stateAfter(never ? 'never-received' : answer, transfer)
  })
  // Time passes here only when a command says so.
  return { results: results.map((result) => ({ ...result, due_in_ms: hour })), states }
}

const minor = (amount: string) => {
  const parsed = parseAmount(amount, 'EUR')
  return parsed.outcome === 'ok' ? parsed.amount_minor : 0n
}

/** The database, read in every way there is, holds what the model says. */
export async function compare(model: Model, real: Real): Promise<void> {
  const { organization_id, database } = real
  const accounts = await database.sql(
    `select balance_minor as balance, reserved_minor as reserved, posting_count as lines from account
     where organization_id = $1 and kind = 'CUSTOMER' order by account_id`,
    [organization_id]
  )
  assert.deepEqual(
    accounts.map(({ balance, reserved, lines }) => [balance, reserved, lines]),
    model.accounts.map(({ balance, reserved, lines }) => [`${balance}`, `${reserved}`, `${lines}`])
  )
  for (const [place, iban] of ibans.entries()) {
    const query = { organization_id, iban, before_line_no: null, limit: 1000 }
    const lines = await listTransactions(database.db, query)
    const amounts = lines.map(({ amount }) =>
      amount.startsWith('-') ? -minor(amount.slice(1)) : minor(amount)
    )
    assert.equal(ledger.sum(amounts), model.accounts[place]!.balance)
    assert.deepEqual(
      lines.map(({ line }) => line),
      lines.map((_, index) => lines.length - index)
    )
  }
  for (const bulk of model.bulks.values()) await compareBulk(bulk, real)
}

const parts = ['executed', 'pending', 'processing', 'unknown', 'failed', 'cancelled'] as const

async function compareBulk(bulk: ledger.ModelBulk, real: Real): Promise<void> {
  const read = await readBulkStatus(real.database.db, real.organization_id, bulk.request_id)
  assert.ok(read)
  assert.equal(
    read.total.count,
    parts.reduce((total, part) => total + read[part].count, 0)
  )
  assert.equal(minor(read.total.amount), ledger.sum(parts.map((part) => minor(read[part].amount))))
  const expected = ledger.expectedStatus(bulk)
  for (const part of ['total', ...parts] as const)
    assert.deepEqual(
      { count: read[part].count, minor: minor(read[part].amount) },
      expected.shares[part],
      part
    )
  assert.deepEqual([read.final, read.needs_attention], [expected.final, expected.needs_attention])
  assert.equal(read.completed_at !== null, expected.final)
  assert.ok(
    expected.final ? read.status === expected.end : ['PENDING', 'PROCESSING'].includes(read.status),
    read.status
  )
  assert.ok(read.version >= (real.versions.get(bulk.request_id) ?? 1))
  real.versions.set(bulk.request_id, read.version)
}
