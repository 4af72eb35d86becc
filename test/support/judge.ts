import { readRequest } from '../../src/transfers/read-request.ts'
import { validateBulk } from '../../src/transfers/validate-bulk.ts'
import type { Strictness } from '../../src/transfers/validate-transfers.ts'
import { aBulk, aTransfer } from './builders.ts'

/** The day on which bulks are judged. */
export const today = '2026-11-22'

/** The verdict on a body: `valid`, or the reason, with the place and code of every warning or error. */
export function judge(body: unknown, profile: Strictness = 'strict'): string[] {
  const read = readRequest(body)
  const checked =
    read.outcome === 'ok' ? validateBulk(read.request, read.transferCount, { today, profile }) : read
  if (checked.outcome === 'valid')
    return ['valid', ...checked.bulk.warnings.map(({ pointer, code }) => `${pointer} ${code}`)]
  const { reason, errors = [] } = checked.problem
  return [reason, ...errors.map(({ pointer, code }) => `${pointer} ${code}`)]
}

/** The body of a bulk with one transfer that is right, but for what is given. */
export const withTransfer = (change: object) => ({
  ...aBulk(),
  credit_transfers: [{ ...aTransfer(), ...change }]
})
