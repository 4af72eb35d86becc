import { findRepetitions, packFingerprints } from '../domain/fingerprint.ts'
import { formatAmount } from '../domain/money.ts'
import type { ErrorItem, ProblemContent, Reason } from '../domain/problem.ts'
import { type BulkRequest, maxTransfers } from './bulk-request.ts'
import { normaliseBulk, type ValidBulk } from './normalise-bulk.ts'
import {
  type Fault,
  type Findings,
  reportRepetitions,
  validateTransfers,
  type Strictness
} from './validate-transfers.ts'

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
export function validateBulk(
  request: BulkRequest,
  transferCount: number,
  { today, profile = 'strict' }: { today: string; profile?: Strictness }
): Validation {
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

  const findings: Findings = {
    profile,
    duplicates: request.duplicate_check ?? 'warn',
    faults: [],
    warnings: []
  }
  const { faults } = findings
  const { transfers, total } = validateTransfers(request, findings)
  const fingerprints = packFingerprints(transfers)
  if (findings.duplicates !== 'off')
    reportRepetitions(request, findRepetitions(transfers, fingerprints), findings)
  validatePayeeCheck(request, faults)
  validateExecutionDate(request.execution_date, today, faults)
  if (faults.length === 0) validateControlSum(request.control_sum, total, faults)
  const [worst] = faults.toSorted(
    (a, b) => faultsByPrecedence.indexOf(a.reason) - faultsByPrecedence.indexOf(b.reason)
  )
  const bulk = normaliseBulk(request, transfers, { total, fingerprints, warnings: findings.warnings })
  if (worst === undefined) return { outcome: 'valid', bulk }
  const errors = faults.map((fault) => fault.item)
  return {
    outcome: 'refused',
    problem: { reason: worst.reason, details: summary(worst, faults), errors },
    bulk
  }
}

/** What can be wrong with a bulk. Of several the first gives the answer its reason; all of them are in its errors. */
export const faultsByPrecedence: Reason[] = [
  'invalid-request',
  'invalid-amount',
  'negative-or-null-amounts',
  'currency-not-supported',
  'invalid-counterparty',
  'same-account-transfer',
  'duplicate-client-transfer-id',
  'duplicate-transfer',
  'execution-date-not-supported',
  'control-sum-mismatch'
]

/**
 * Only who submits several payment orders as a package may do without the check of payees, and only who is no consumer
 * (Article 5c (6) of Regulation (EU) No 260/2012, as amended by Regulation (EU) 2024/886). One transfer is no package.
 */
function validatePayeeCheck({ payee_check, credit_transfers }: BulkRequest, faults: Fault[]): void {
  if (payee_check === undefined || credit_transfers.length > 1) return
  const detail = 'A transfer that is submitted alone is always checked; leave payee_check out.'
  faults.push({
    reason: 'invalid-request',
    item: { pointer: '/payee_check', code: 'single-transfer', detail }
  })
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

function summary(worst: Fault, faults: Fault[]): string {
  if (faults.length === 1) return `${worst.item.pointer}: ${worst.item.detail}`
  return `${faults.length} things are wrong, see errors; the first: ${worst.item.pointer}: ${worst.item.detail}`
}

function refuse(reason: Reason, details: string, errors: ErrorItem[]): Validation {
  return { outcome: 'refused', problem: { reason, details, errors }, bulk: null }
}

/** The refusal of a bulk for transfers that were paid before. */
export function describeDuplicates(errors: ErrorItem[]): ProblemContent {
  const faults = errors.map((item): Fault => ({ reason: 'duplicate-transfer', item }))
  const [first] = faults
  return { reason: 'duplicate-transfer', details: first === undefined ? '' : summary(first, faults), errors }
}
