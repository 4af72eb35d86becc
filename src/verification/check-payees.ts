import { statement } from '../database/statement.ts'
import { check, listFaults, nameBulk, type Check } from './violation.ts'

const selectWrongPayees = statement(
  'verify-payees',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    bulk_id: 'uuid',
    other_length: 'bool',
    misnamed: 'bool',
    not_held: 'bool',
    held_for_nothing: 'bool',
    sent: 'bool'
  },
  `with found as materialized (
     select b.organization_id, b.request_id as bulk_id,
            coalesce(length(v.results) <> b.transfer_count, false) as other_length,
            exists (select from jsonb_object_keys(v.suggested_names) as k (seq)
                    where case when k.seq ~ '^\\d{1,3}$' then substr(v.results, k.seq::int + 1, 1) else '' end <> 'C'
                   ) as misnamed,
            coalesce(v.held, false) and h.hold_no is null as not_held,
            h.hold_no is not null and not coalesce(v.held, false) as held_for_nothing,
            h.hold_no is not null and h.released_at is null
              and (b.executed_count + b.failed_count > 0
                   or exists (select from chunk c
                              where (c.organization_id, c.bulk_no) = (b.organization_id, b.bulk_no)
                                and c.due_at is not null and c.status <> 'PENDING')) as sent
     from bulk b
     left join payee_verification v using (organization_id, bulk_no)
     left join hold h on (h.organization_id, h.bulk_no) = (b.organization_id, b.bulk_no) and h.cause = 'payees'
     where v.bulk_no is not null or h.hold_no is not null
   )
   select * from found where other_length or misnamed or not_held or held_for_nothing or sent
   limit :row_limit`
)

/** I7 for payees: the evidence is that of the bulk, and what waits for the payer's word was not sent without it. */
export const payeeChecks: Record<string, Check> = {
  'payees that were checked': check(selectWrongPayees, (row) => ({
    invariant: 'I7',
    subject: nameBulk(row),
    details: listFaults({
      'it has not as many results of the payee check as transfers': row.other_length,
      'a name was suggested for a payee that is no close match': row.misnamed,
      'its payees are to be confirmed, and it was never held': row.not_held,
      'it was held for its payees, and none is to be confirmed': row.held_for_nothing,
      'it was sent, and nobody has confirmed its payees': row.sent
    })
  }))
}
