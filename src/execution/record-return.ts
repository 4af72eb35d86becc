import { statement } from '../database/statement.ts'

/**
 * Books money that came back after execution: the reverse of the entry that sent it, once however often the bank tells
 * of it, and never more than was sent. No row if the transfer is not EXECUTED, or has been returned already. Locks
 * bulk, then account.
 */
export const recordReturn = statement(
  'record-return',
  {
    organization_id: 'int4',
    bulk_no: 'int8',
    seq: 'int2',
    amount_minor: 'int8',
    reason_code: 'text?',
    reason: 'text?'
  },
  { line_no: 'int8' },
  `with came_back as (
     insert into transfer_return (organization_id, bulk_no, seq, amount_minor, reason_code, reason)
     select organization_id, bulk_no, seq, :amount_minor, :reason_code, :reason
     from outcome
     where (organization_id, bulk_no, seq) = (:organization_id, :bulk_no, :seq)
       and status = 'EXECUTED' and amount_minor >= :amount_minor
     on conflict do nothing
     returning amount_minor
   ), told as (
     update bulk b set
       returned_count = b.returned_count + 1, returned_minor = b.returned_minor + r.amount_minor,
       version = b.version + 1
     from came_back r
     where (b.organization_id, b.bulk_no) = (:organization_id, :bulk_no)
     returning b.account_id, b.currency, r.amount_minor, b.request_id, b.version, b.trace_id
   ), announced as (
     insert into event (organization_id, bulk_no, version, type, actor, trace_id, data)
     select :organization_id, :bulk_no, version, 'transfers.returned', 'bulkhead', trace_id, jsonb_build_object(
       'bulk_id', request_id, 'index', :seq, 'amount', amount_of(amount_minor, currency), 'currency', currency,
       'reason_code', :reason_code)
     from told
   ), credited as (
     update account a set balance_minor = a.balance_minor + told.amount_minor, posting_count = a.posting_count + 1
     from told
     where (a.organization_id, a.account_id) = (:organization_id, told.account_id)
     returning a.account_id, a.posting_count as line_no
   )
   insert into posting (organization_id, account_id, line_no, counter_account_id, amount_minor, kind, bulk_no, seq)
   select :organization_id, c.account_id, c.line_no,
          (select account_id from account clearing
           where clearing.organization_id = :organization_id and clearing.kind = 'CLEARING'
             and clearing.currency = told.currency),
          told.amount_minor, 'RETURN', :bulk_no, :seq
   from credited c, told
   returning line_no`
)
