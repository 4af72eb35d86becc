import { statement } from '../database/statement.ts'
import { check, describeAmount, listFaults, nameTransfer, type Check, type Invariant } from './violation.ts'

const selectWrongNotices = statement(
  'verify-notices',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_no: 'int8',
    seq: 'int2',
    bulk_reference: 'text',
    currency: 'text',
    source: 'text',
    status: 'text',
    amount_minor: 'int8',
    transfer_minor: 'int8?',
    outcome: 'text?',
    fits: 'bool',
    carried_out: 'bool'
  },
  // Settled with nothing done is right only where an incident tells people of it; that may have ended since.
  `with found as materialized (
     select organization_id, bulk_no, seq, n.source, n.status::text, n.amount_minor, t.amount_minor as transfer_minor,
            o.status::text as outcome,
            coalesce(case n.status when 'RETURNED' then n.amount_minor between 1 and t.amount_minor
                                   else n.amount_minor = t.amount_minor end, false) as fits,
            n.due_at is not null or coalesce(n.status = o.status, false)
              or (n.status = 'RETURNED' and coalesce(r.amount_minor = n.amount_minor, false)) or i.incident_no is not null as carried_out
     from notice n
     left join transfer t using (organization_id, bulk_no, seq)
     left join outcome o using (organization_id, bulk_no, seq)
     left join transfer_return r using (organization_id, bulk_no, seq)
     left join (
       select organization_id, bulk_no, seq, min(incident_no) as incident_no
       from incident where kind = 'contradictory-result' group by 1, 2, 3
     ) i using (organization_id, bulk_no, seq)
   )
   select f.organization_id, f.bulk_no, f.seq, b.bulk_reference, b.currency, f.source, f.status, f.amount_minor,
          f.transfer_minor, f.outcome, f.fits, f.carried_out
   from found f join bulk b using (organization_id, bulk_no)
   where not (f.fits and f.carried_out and f.status in ('EXECUTED', 'FAILED', 'RETURNED'))
   limit :row_limit`
)

const checkNotices = check(selectWrongNotices, (row) => {
  const { source, status, transfer_minor } = row
  const amount = (minor: bigint) => describeAmount(minor, row.currency)
  return {
    invariant: invariantOf(transfer_minor),
    subject: nameTransfer(row),
    details: listFaults({
      [`by ${source} it was told to be ${status}, but there is no such transfer`]: transfer_minor === null,
      [`by ${source} it was told to be ${status} with ${amount(row.amount_minor)}, it is of ${amount(transfer_minor ?? 0n)}`]:
        transfer_minor !== null && !row.fits,
      [`by ${source} it was told to be ${status}, which nobody can tell`]: ![
        'EXECUTED',
        'FAILED',
        'RETURNED'
      ].includes(status),
      [`by ${source} it was told to be ${status}, it is ${row.outcome ?? 'open'}, and no incident tells of that`]:
        transfer_minor !== null && !row.carried_out
    })
  }
})

const selectWrongEntries = statement(
  'verify-statement-entries',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_no: 'int8',
    seq: 'int2',
    bulk_reference: 'text',
    currency: 'text',
    kind: 'text',
    amount_minor: 'int8',
    transfer_minor: 'int8?'
  },
  `with found as materialized (
     select organization_id, bulk_no, seq, e.kind, e.amount_minor, t.amount_minor as transfer_minor
     from statement_entry e left join transfer t using (organization_id, bulk_no, seq)
     where t.amount_minor is null
        or not case e.kind when 'RETURN' then e.amount_minor between 1 and t.amount_minor
                           else e.amount_minor = t.amount_minor end
   )
   select f.organization_id, f.bulk_no, f.seq, b.bulk_reference, b.currency, f.kind, f.amount_minor, f.transfer_minor
   from found f join bulk b using (organization_id, bulk_no)
   limit :row_limit`
)

const checkEntries = check(selectWrongEntries, (row) => ({
  invariant: invariantOf(row.transfer_minor),
  subject: nameTransfer(row),
  details:
    row.transfer_minor === null
      ? `the bank's statement was taken to have a ${row.kind} of it, but there is no such transfer`
      : `it is of ${describeAmount(row.transfer_minor, row.currency)}, its ${row.kind} on the bank's statement of ${describeAmount(row.amount_minor, row.currency)}`
}))

function invariantOf(transfer_minor: bigint | null): Invariant {
  return transfer_minor === null ? 'I5' : 'I4'
}

/** I4 and I5 for what the bank told by itself: it fits its transfer, and something came of it. */
export const noticeChecks: Record<string, Check> = {
  'what the bank told': checkNotices,
  "lines of the bank's statement": checkEntries
}
