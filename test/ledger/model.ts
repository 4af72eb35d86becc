import assert from 'node:assert/strict'

export type State = 'PENDING' | 'PROCESSING' | 'SENT' | 'UNKNOWN' | 'EXECUTED' | 'FAILED' | 'CANCELLED'

export interface ModelTransfer {
  amount: bigint
  state: State
  /** Number of the claim that may record it, or null. A lease that ran out but was not taken over still counts. */
  holder: number | null
  due: boolean
  /** Whether the claim that holds it was the first since it was put down, so that nothing was sent before. */
  fresh: boolean
}

export interface ModelBulk {
  request_id: string
  account: number
  stop: boolean
  stopped: boolean
  transfers: ModelTransfer[]
}

/** Everything that the database should hold, as plain arithmetic. */
export interface Model {
  accounts: { balance: bigint; reserved: bigint; lines: number }[]
  bulks: Map<bigint, ModelBulk>
  claims: { bulk_no: bigint; seqs: number[]; answered: boolean }[]
}

const ends: State[] = ['EXECUTED', 'FAILED', 'CANCELLED']

export const isOpen = (transfer: ModelTransfer) => !ends.includes(transfer.state)
export const sum = (amounts: bigint[]) => amounts.reduce((total, amount) => total + amount, 0n)
export const allTransfers = (model: Model) => [...model.bulks.values()].flatMap(({ transfers }) => transfers)

/** Whether there is anything to claim: of a bulk that stops at a failure only one chunk is out at a time. */
export function isWorkDue(model: Model): boolean {
  return [...model.bulks.values()].some(({ stop, transfers }) => {
    const out = stop && transfers.some(({ holder }) => holder !== null)
    return transfers.some(({ due, holder }) => due && (holder !== null || !out))
  })
}

export function submit(
  model: Model,
  bulk_no: bigint | null,
  bulk: Omit<ModelBulk, 'transfers' | 'stopped'>,
  amounts: bigint[]
) {
  const account = model.accounts[bulk.account]!
  const total = sum(amounts)
  assert.equal(
    bulk_no !== null,
    account.balance - account.reserved >= total,
    'accepted exactly when it can be paid'
  )
  if (bulk_no === null) return
  account.reserved += total
  model.bulks.set(bulk_no, {
    ...bulk,
    stopped: false,
    transfers: amounts.map((amount) => ({ amount, state: 'PENDING', holder: null, due: true, fresh: false }))
  })
}

/** Takes over what a claim says it holds, if it may hold it. */
export function claim(
  model: Model,
  bulk_no: bigint,
  rows: { seq: number; status: string; fresh: boolean }[]
) {
  const nr = model.claims.push({ bulk_no, seqs: rows.map(({ seq }) => seq), answered: false }) - 1
  for (const row of rows) {
    const transfer = model.bulks.get(bulk_no)?.transfers[row.seq]
    assert.ok(transfer?.due, 'only what is due is claimed')
    transfer.fresh = transfer.state === 'PENDING'
    if (transfer.fresh) transfer.state = 'PROCESSING'
    Object.assign(transfer, { holder: nr, due: false })
    assert.deepEqual([row.status, row.fresh], [transfer.state, transfer.fresh])
  }
}

/** Records states for the transfers that the claim still holds; returns whether there was any. A failure may stop it. */
export function record(model: Model, nr: number, states: State[]): boolean {
  const { bulk_no, seqs } = model.claims[nr]!
  const bulk = model.bulks.get(bulk_no)!
  const account = model.accounts[bulk.account]!
  const held = seqs.flatMap((seq, place) => {
    const transfer = bulk.transfers[seq]!
    return transfer.holder === nr ? [{ transfer, state: states[place]! }] : []
  })
  for (const { transfer, state } of held) {
    Object.assign(transfer, { state, holder: null, due: false, fresh: false })
    if (isOpen(transfer)) continue
    account.reserved -= transfer.amount
    if (state !== 'EXECUTED') continue
    account.balance -= transfer.amount
    account.lines += 1
  }
  bulk.stopped ||= bulk.stop && held.some(({ state }) => state === 'FAILED')
  if (bulk.stopped) stop(model, bulk)
  return held.length > 0
}

/** Cancels what surely was not sent, and nobody is about to send. */
export function stop(model: Model, bulk: ModelBulk): bigint[] {
  if (!bulk.transfers.some(isOpen)) return []
  bulk.stopped = true
  const pending = bulk.transfers.filter(({ state }) => state === 'PENDING')
  for (const transfer of pending) {
    Object.assign(transfer, { state: 'CANCELLED', due: false })
    model.accounts[bulk.account]!.reserved -= transfer.amount
  }
  return pending.map(({ amount }) => amount)
}

/** Where a bank's answer leads, from the table of the design. */
export function stateAfter(answer: string, transfer: { fresh: boolean; status: string }): State {
  const open = transfer.status === 'SENT' ? 'SENT' : 'UNKNOWN'
  const table: Record<string, State> = {
    executed: 'EXECUTED',
    rejected: 'FAILED',
    taken: 'SENT',
    unknown: open,
    'not-accepted': transfer.fresh ? 'PENDING' : open,
    // What was not known is sent again at once, unless the bank had said that it has it.
    'not-found': 'UNKNOWN',
    'never-received': 'CANCELLED',
    nothing: 'CANCELLED'
  }
  const state = table[answer]
  assert.ok(state)
  return state
}

/** What a read of the bulk should say. */
export function expectedStatus(bulk: ModelBulk) {
  const share = (...states: State[]) => {
    const amounts = bulk.transfers.filter(({ state }) => states.includes(state)).map(({ amount }) => amount)
    return { count: amounts.length, minor: sum(amounts) }
  }
  const shares = {
    total: { count: bulk.transfers.length, minor: sum(bulk.transfers.map(({ amount }) => amount)) },
    executed: share('EXECUTED'),
    pending: share('PENDING'),
    processing: share('PROCESSING', 'SENT'),
    unknown: share('UNKNOWN'),
    failed: share('FAILED'),
    cancelled: share('CANCELLED')
  }
  const final = !bulk.transfers.some(isOpen)
  const needs_attention = shares.unknown.count > 0 && shares.pending.count + shares.processing.count === 0
  return { shares, final, needs_attention, end: final ? endOf(shares) : null }
}

function endOf(shares: Record<'total' | 'executed' | 'failed', { count: number }>): string {
  if (shares.executed.count === shares.total.count) return 'COMPLETED'
  if (shares.executed.count > 0) return 'PARTIALLY_COMPLETED'
  return shares.failed.count > 0 ? 'FAILED' : 'CANCELLED'
}
