import { statement } from '../database/statement.ts'
import { check, describeAmount, listFaults, nameAccount, type Check } from './violation.ts'

// Each statement finds its rows in a materialized CTE: planned under the limit itself, the joins would become loops
// that expect to stop early, and on clean books they never do.

const selectWrongPostings = statement(
  'verify-postings',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    account_id: 'int4',
    counter_account_id: 'int4',
    line_no: 'int8',
    kind: 'text',
    amount_minor: 'int8',
    account_kind: 'text?',
    currency: 'text?',
    counter_kind: 'text?',
    counter_currency: 'text?'
  },
  `with found as materialized (
     select p.organization_id, p.account_id, p.counter_account_id, p.line_no, p.kind::text, p.amount_minor,
            a.kind::text as account_kind, a.currency, c.kind::text as counter_kind, c.currency as counter_currency
     from posting p
     left join account a on (a.organization_id, a.account_id) = (p.organization_id, p.account_id)
     left join account c on (c.organization_id, c.account_id) = (p.organization_id, p.counter_account_id)
     where a.kind is distinct from 'CUSTOMER' or c.kind is distinct from 'CLEARING'
        or a.currency is distinct from c.currency
        or p.amount_minor = 0
        or (p.kind = 'TRANSFER' and p.amount_minor > 0) or (p.kind = 'RETURN' and p.amount_minor < 0)
   )
   select * from found limit :row_limit`
)

const checkPostings = check(selectWrongPostings, (row) => ({
  invariant: 'I1',
  subject: `posting ${row.line_no} of ${nameAccount(row)}`,
  details: listFaults({
    'its account does not exist in this organization': row.account_kind === null,
    'its account is the CLEARING account, it should be the other side': row.account_kind === 'CLEARING',
    [`its counter account ${row.counter_account_id} does not exist in this organization`]:
      row.counter_kind === null,
    [`its counter account ${row.counter_account_id} is not the CLEARING account`]:
      row.counter_kind === 'CUSTOMER',
    [`its accounts have the currencies ${row.currency} and ${row.counter_currency}`]:
      row.currency !== null && row.counter_currency !== null && row.currency !== row.counter_currency,
    [`a ${row.kind} moves ${describeAmount(row.amount_minor, row.currency)}`]:
      row.amount_minor === 0n ||
      (row.kind === 'TRANSFER' && row.amount_minor > 0n) ||
      (row.kind === 'RETURN' && row.amount_minor < 0n)
  })
}))

/** The first line of an account may be its opening balance, which has no reference. */
const selectWrongDeposits = statement(
  'verify-deposits',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    account_id: 'int4',
    line_no: 'int8',
    kind: 'text?',
    posted_minor: 'int8?',
    deposited_minor: 'int8?'
  },
  `with found as materialized (
     select organization_id, account_id, line_no, p.kind::text, p.amount_minor as posted_minor,
            d.amount_minor as deposited_minor
     from (select * from posting where kind = 'DEPOSIT') p
     full join deposit d using (organization_id, account_id, line_no)
     where p.amount_minor is distinct from d.amount_minor and not (d.amount_minor is null and line_no = 1)
   )
   select * from found order by organization_id, account_id, line_no limit :row_limit`
)

const checkDeposits = check(selectWrongDeposits, (row) => ({
  invariant: 'I2',
  subject: `deposit ${row.line_no} of ${nameAccount(row)}`,
  details: listFaults({
    'there is no posting of it': row.kind === null,
    'nobody gave a reference for it': row.deposited_minor === null,
    'its posting has another amount':
      row.posted_minor !== null && row.deposited_minor !== null && row.posted_minor !== row.deposited_minor
  })
}))

const selectOpenBooks = statement(
  'verify-books',
  { row_limit: 'int4' },
  { organization_id: 'int4', currency: 'text', sum_minor: 'int8' },
  `with pair as (
     select organization_id, account_id, counter_account_id, sum(amount_minor) as amount_minor
     from posting group by 1, 2, 3
   ), side as (
     select organization_id, account_id, amount_minor from pair
     union all
     select organization_id, counter_account_id, -amount_minor from pair
   )
   select organization_id, a.currency, sum(s.amount_minor)::int8 as sum_minor
   from side s join account a using (organization_id, account_id)
   group by 1, 2 having sum(s.amount_minor) <> 0
   order by 1, 2 limit :row_limit`
)

const checkBooks = check(selectOpenBooks, (row) => ({
  invariant: 'I1',
  subject: `organization ${row.organization_id}`,
  details: `the postings of all its accounts add up to ${describeAmount(row.sum_minor, row.currency)}, not to zero`
}))

const selectWrongAccounts = statement(
  'verify-accounts',
  { row_limit: 'int4' },
  {
    organization_id: 'int4',
    account_id: 'int4',
    currency: 'text',
    balance_minor: 'int8',
    posted_minor: 'int8',
    reserved_minor: 'int8',
    open_minor: 'int8',
    posting_count: 'int8',
    line_count: 'int8',
    last_line_no: 'int8'
  },
  `with posted as (
     select organization_id, account_id, sum(amount_minor) as posted_minor, count(*) as line_count,
            max(line_no) as last_line_no
     from posting group by 1, 2
   ), open_bulk as materialized (
     select t.organization_id, t.bulk_no, sum(t.amount_minor) as open_minor
     from transfer t
     where not exists (
       select from outcome o
       where (o.organization_id, o.bulk_no, o.seq) = (t.organization_id, t.bulk_no, t.seq)
     )
     group by 1, 2
   ), open as (
     select organization_id, b.account_id, sum(open_minor) as open_minor
     from open_bulk join bulk b using (organization_id, bulk_no)
     group by 1, 2
   ), found as materialized (
     select organization_id, account_id, a.currency, a.balance_minor, a.reserved_minor, a.posting_count,
            coalesce(p.posted_minor, 0)::int8 as posted_minor, coalesce(o.open_minor, 0)::int8 as open_minor,
            coalesce(p.line_count, 0) as line_count, coalesce(p.last_line_no, 0) as last_line_no
     from account a
     left join posted p using (organization_id, account_id)
     left join open o using (organization_id, account_id)
   )
   select organization_id, account_id, currency, balance_minor, posted_minor, reserved_minor, open_minor,
          posting_count, line_count, last_line_no
   from found
   where balance_minor <> posted_minor or reserved_minor <> open_minor
      or posting_count <> line_count or last_line_no <> line_count
      or reserved_minor < 0 or reserved_minor > balance_minor
   order by organization_id, account_id limit :row_limit`
)

const checkAccounts = check(selectWrongAccounts, (row) => {
  const amount = (minor: bigint) => describeAmount(minor, row.currency)
  return {
    invariant: 'I2',
    subject: nameAccount(row),
    details: listFaults({
      [`balance is ${amount(row.balance_minor)}, its postings add up to ${amount(row.posted_minor)}`]:
        row.balance_minor !== row.posted_minor,
      [`reserved is ${amount(row.reserved_minor)}, its open transfers add up to ${amount(row.open_minor)}`]:
        row.reserved_minor !== row.open_minor,
      [`it counts ${row.posting_count} postings and has ${row.line_count}`]:
        row.posting_count !== row.line_count,
      [`its ${row.line_count} postings go up to line ${row.last_line_no}: a line is missing`]:
        row.last_line_no !== row.line_count,
      [`reserved is ${amount(row.reserved_minor)} of a balance of ${amount(row.balance_minor)}`]:
        row.reserved_minor < 0n || row.reserved_minor > row.balance_minor
    })
  }
})

/** I1 and I2: the double entries and what the accounts keep of them. */
export const ledgerChecks: Record<string, Check> = {
  'double entries': checkPostings,
  deposits: checkDeposits,
  'books of every organization': checkBooks,
  'balances and reserves': checkAccounts
}
