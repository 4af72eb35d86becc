import type { Context } from '../context.ts'
import { openIncident, resolveOthers } from '../incidents/incidents.ts'
import type { BankLog } from '../verification/bank-log.ts'
import { verify } from '../verification/verify.ts'

/** Most violations that are turned into incidents; the command verify tells all of them. */
const mostReported = 100

/** Runs the checker over everything, and raises the alarm for what it finds. */
export async function audit(context: Context, bankLog: BankLog): Promise<string> {
  const { violations, checked, duration_ms } = await verify(context.db, bankLog, {
    maxViolations: mostReported
  })
  for (const { invariant, subject, details } of violations)
    await openIncident(context, {
      kind: 'broken-invariant',
      subject: `${invariant} ${subject}`,
      details,
      organization_id: null,
      bulk_no: null,
      seq: null
    })
  // What was not told because there is too much of it is not in order again.
  if (violations.length < mostReported)
    await resolveOthers(context.db, {
      kind: 'broken-invariant',
      subjects: violations.map(({ invariant, subject }) => `${invariant} ${subject}`)
    })
  return `${violations.length} violations in ${checked.transfers} transfers, ${duration_ms} ms`
}
