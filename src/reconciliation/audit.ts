import type { Context } from '../context.ts'
import { reportFindings } from '../incidents/incidents.ts'
import type { BankLog } from '../verification/bank-log.ts'
import { verify } from '../verification/verify.ts'

/** Most violations that are turned into incidents; the command verify tells all of them. */
const mostReported = 100

/** Runs the checker over everything, and raises the alarm for what it finds. */
export async function audit(context: Context, bankLog: BankLog): Promise<string> {
  const { violations, checked, duration_ms } = await verify(context.db, bankLog, {
    maxViolations: mostReported
  })
  const all = violations.map(({ invariant, subject, details }) => ({
    subject: `${invariant} ${subject}`,
    details,
    organization_id: null,
    bulk_no: null,
    seq: null
  }))
  await reportFindings(context, 'broken-invariant', { all, complete: all.length < mostReported })
  return `${violations.length} violations in ${checked.transfers} transfers, ${duration_ms} ms`
}
