import { createHash } from 'node:crypto'
import { findIbanFault, ibanFaults, isBic, normaliseBic, normaliseIban } from '../domain/account-number.ts'
import { type Currency, isCurrency, maxAmountMinor, formatAmount, parseAmount } from '../domain/money.ts'
import type { ErrorItem, ProblemContent, Reason } from '../domain/problem.ts'
import { type BulkRequest, clientTransferId, maxTransfers } from './bulk-request.ts'

/** A bulk that is right in itself: what it says, normalised. Whether it can be paid only the database knows. */
export interface ValidBulk {
  request_id: string
  organization_bic: string
  organization_iban: string
  currency: Currency
  transfer_count: number
  total_minor: bigint
  on_failure: 'continue' | 'stop'
  label: string | null
  /** JSON text with sorted keys, or null. */
  metadata: string | null
  /** The transfers as the JSON text that is stored, amounts in minor units. */
  transfers: string
  /** SHA-256 of the normalised content: equal for a replay, whatever its key order, spaces or zeros. */
  content_hash: Buffer
}

export type Validation =
  | { outcome: 'valid'; bulk: ValidBulk }
  /** `bulk` is what the request says all the same: it may be the replay of one that was right when it came. */
  | { outcome: 'refused'; problem: ProblemContent; bulk: ValidBulk | null }

const canonicalUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Whether a request_id is a UUID in its canonical form (RFC 9562: hyphenated; any case is read). */
export function checkRequestId(requestId: string): ProblemContent | null {
  if (canonicalUuid.test(requestId)) return null
  const detail =
    'This has to be a UUID such as 123e4567-e89b-12d3-a456-426614174000, without braces or spaces.'
  return {
    reason: 'invalid-request-id',
    details: 'Invalid bulk request uuid',
    errors: [{ pointer: '/request_id', code: 'uuid-format', detail }]
  }
}

/**
 * Checks all that can be checked without a database, in the order in which errors win: the number of transfers, then
 * everything about every transfer at once, then the control sum. `today` is YYYY-MM-DD.
 */
export function validateBulk(request: BulkRequest, transferCount: number, today: string): Validation {
  if (transferCount === 0)
    return refuse('empty-bulk', 'A bulk has at least one transfer.', [
      { pointer: '/credit_transfers', code: 'empty', detail: 'Add at least one transfer.' }
    ])
  if (transferCount > maxTransfers)
    return refuse('too-many-transfers', `Too many transfers requested (max=${maxTransfers})`, [
      {
        pointer: '/credit_transfers',
        code: 'too-many',
        detail: `There are ${transferCount} transfers; split them into bulks of at most ${maxTransfers}.`
      }
    ])

  const faults: Fault[] = []
  const { transfers, total } = validateTransfers(request, faults)
  validateExecutionDate(request.execution_date, today, faults)
  if (faults.length === 0) validateControlSum(request.control_sum, total, faults)
  const [worst] = faults.toSorted((a, b) => precedence.indexOf(a.reason) - precedence.indexOf(b.reason))
  const bulk = normalise(request, transfers, total)
  if (worst === undefined) return { outcome: 'valid', bulk }
  const errors = faults.map((fault) => fault.item)
  return {
    outcome: 'refused',
    problem: { reason: worst.reason, details: summary(worst, faults), errors },
    bulk
  }
}

/** Which of several reasons the answer carries; all of them are in its errors. */
const precedence: Reason[] = [
  'invalid-amount',
  'negative-or-null-amounts',
  'currency-not-supported',
  'invalid-counterparty',
  'same-account-transfer',
  'duplicate-client-transfer-id',
  'execution-date-not-supported',
  'control-sum-mismatch'
]

interface Fault {
  reason: Reason
  item: ErrorItem
}

type Transfer = BulkRequest['credit_transfers'][number]

interface StoredTransfer {
  amount_minor: string
  counterparty_name: string
  counterparty_bic: string
  counterparty_iban: string
  description: string
  client_transfer_id?: string | undefined
  end_to_end_id?: string | undefined
  metadata?: Record<string, string> | undefined
}

function validateTransfers(
  request: BulkRequest,
  faults: Fault[]
): { transfers: StoredTransfer[]; total: bigint } {
  const payer = normaliseIban(request.organization_iban)
  const firstUse = new Map<string, number>()
  let total = 0n
  const transfers = request.credit_transfers.map((transfer, index) => {
    const place = { transfer, index, faults }
    const amount = validateAmount(place)
    total += amount
    const bic = normaliseBic(transfer.counterparty_bic)
    const iban = normaliseIban(transfer.counterparty_iban)
    validateCounterparty(place, iban, bic, payer)
    validateClientTransferId(place, firstUse)
    return store(transfer, amount, bic, iban)
  })
  return { transfers, total }
}

/** Where a fault is found, and where it is reported. */
interface Place {
  transfer: Transfer
  index: number
  faults: Fault[]
}

function report(place: Place, reason: Reason, field: keyof Transfer, [code, detail]: [string, string]): void {
  const { transfer, index, faults } = place
  const pointer = `/credit_transfers/${index}/${field}`
  faults.push({ reason, item: { pointer, index, ...clientTransferId(transfer), code, detail } })
}

function validateAmount(place: Place): bigint {
  const { amount, currency } = place.transfer
  const supported = isCurrency(currency)
  if (!supported)
    report(place, 'currency-not-supported', 'currency', [
      'currency-not-supported',
      'Only EUR is supported, in capitals.'
    ])
  const parsed = parseAmount(amount, supported ? currency : 'EUR')
  if (parsed.outcome === 'ok') return parsed.amount_minor
  const reason = parsed.outcome === 'not-positive' ? 'negative-or-null-amounts' : 'invalid-amount'
  report(place, reason, 'amount', amountFaults[parsed.outcome])
  return 0n
}

const amountFaults = {
  malformed: ['amount-format', 'This has to be a plain decimal such as "100.00" or "14.5".'],
  'too-many-decimals': ['amount-decimals', 'More than 2 decimal places are not allowed.'],
  'too-large': ['amount-too-large', `The most is ${formatAmount(maxAmountMinor, 'EUR')}.`],
  'not-positive': ['amount-not-positive', 'An amount has to be greater than zero.']
} satisfies Record<string, [string, string]>

function validateCounterparty(place: Place, iban: string, bic: string, payer: string): void {
  const ibanFault = findIbanFault(iban)
  if (ibanFault !== null)
    report(place, 'invalid-counterparty', 'counterparty_iban', [ibanFault, `This ${ibanFaults[ibanFault]}`])
  if (!isBic(bic))
    report(place, 'invalid-counterparty', 'counterparty_bic', [
      'bic-format',
      'A BIC has 8 or 11 letters and digits, such as DEUTDEFF.'
    ])
  if (iban === payer)
    report(place, 'same-account-transfer', 'counterparty_iban', [
      'same-account',
      'This is the account that pays.'
    ])
}

function validateClientTransferId(place: Place, firstUse: Map<string, number>): void {
  const id = place.transfer.client_transfer_id
  if (id === undefined) return
  const first = firstUse.get(id)
  if (first === undefined) return void firstUse.set(id, place.index)
  const detail = `Transfer ${first} has the same client_transfer_id; each has to be unique within the bulk.`
  report(place, 'duplicate-client-transfer-id', 'client_transfer_id', ['duplicate', detail])
}

function validateExecutionDate(date: string | undefined, today: string, faults: Fault[]): void {
  if (date === undefined || date === today) return
  const detail = `Transfers are executed at once; leave execution_date out or give today's date, ${today} (UTC).`
  faults.push({
    reason: 'execution-date-not-supported',
    item: { pointer: '/execution_date', code: 'not-today', detail }
  })
}

function validateControlSum(controlSum: string | undefined, total: bigint, faults: Fault[]): void {
  if (controlSum === undefined) return
  const match = /^0*(\d+)(?:\.(\d{1,2}))?$/.exec(controlSum)
  const given = match === null ? null : `${match[1] ?? ''}.${(match[2] ?? '').padEnd(2, '0')}`
  const sum = formatAmount(total, 'EUR')
  if (given === sum) return
  const detail = `The amounts add up to ${sum}; check that the list is complete.`
  faults.push({ reason: 'control-sum-mismatch', item: { pointer: '/control_sum', code: 'mismatch', detail } })
}

function store(transfer: Transfer, amount: bigint, bic: string, iban: string): StoredTransfer {
  return {
    amount_minor: amount.toString(),
    counterparty_name: transfer.counterparty_name,
    counterparty_bic: bic,
    counterparty_iban: iban,
    description: transfer.description,
    client_transfer_id: transfer.client_transfer_id,
    end_to_end_id: transfer.end_to_end_id,
    metadata: transfer.metadata === undefined ? undefined : sortKeys(transfer.metadata)
  }
}

function normalise(request: BulkRequest, stored: StoredTransfer[], total: bigint): ValidBulk {
  const head = {
    organization_bic: normaliseBic(request.organization_bic),
    organization_iban: normaliseIban(request.organization_iban),
    on_failure: request.on_failure ?? 'continue',
    label: request.label ?? null,
    metadata: request.metadata === undefined ? null : JSON.stringify(sortKeys(request.metadata))
  }
  const transfers = JSON.stringify(stored)
  // Not stored with each transfer, but content all the same: 100 USD is no replay of 100 EUR.
  const currencies = [...new Set(request.credit_transfers.map(({ currency }) => currency))]
  return {
    ...head,
    request_id: request.request_id.toLowerCase(),
    currency: 'EUR',
    transfer_count: stored.length,
    total_minor: total,
    transfers,
    content_hash: createHash('sha256')
      .update(JSON.stringify({ ...head, currencies }))
      .update(transfers)
      .digest()
  }
}

function sortKeys(record: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function summary(worst: Fault, faults: Fault[]): string {
  if (faults.length === 1) return `${worst.item.pointer}: ${worst.item.detail}`
  return `${faults.length} things are wrong, see errors; the first: ${worst.item.pointer}: ${worst.item.detail}`
}

function refuse(reason: Reason, details: string, errors: ErrorItem[]): Validation {
  return { outcome: 'refused', problem: { reason, details, errors }, bulk: null }
}
