import { statement } from '../database/statement.ts'

/** The other side of all of an organization's postings in one currency. */
export const openClearingAccount = statement(
  'open-clearing-account',
  { organization_id: 'int4', currency: 'text' },
  { account_id: 'int4' },
  `insert into account (organization_id, kind, currency) values (:organization_id, 'CLEARING', :currency)
   returning account_id`
)

/** Opens a customer account whose opening balance is its first posting, so that the books close from the first cent. */
export const openAccount = statement(
  'open-account',
  { organization_id: 'int4', iban: 'text', bic: 'text', currency: 'text', opening_minor: 'int8' },
  { account_id: 'int4' },
  `with opened as (
     insert into account (organization_id, kind, iban, bic, currency, balance_minor, posting_count)
     values (:organization_id, 'CUSTOMER', :iban, :bic, :currency, :opening_minor, (:opening_minor > 0)::int)
     returning account_id, balance_minor
   ), deposited as (
     insert into posting (organization_id, account_id, line_no, counter_account_id, amount_minor, kind)
     select :organization_id, o.account_id, 1,
            -- Null, and so refused, if there is no clearing account yet.
            (select account_id from account c
             where c.organization_id = :organization_id and c.kind = 'CLEARING' and c.currency = :currency),
            o.balance_minor, 'DEPOSIT'
     from opened o
     where o.balance_minor > 0
   )
   select account_id from opened`
)
