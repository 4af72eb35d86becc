-- Up Migration
-- Accounts and the double-entry ledger. New tables only; nothing is locked.

create type account_kind as enum ('CUSTOMER', 'CLEARING');

-- A CUSTOMER account keeps its balance on the row, because funds are reserved against it by one conditional
-- statement. The CLEARING account is the other side of every posting of the organization: its balance is derived
-- (a kept one would be a second hot row that nothing ever reads).
create table account (
  organization_id int4 not null references organization,
  account_id int4 generated always as identity,
  kind account_kind not null,
  iban text,
  bic text,
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  balance_minor int8 not null default 0,
  reserved_minor int8 not null default 0,
  posting_count int8 not null default 0 check (posting_count >= 0),
  created_at timestamptz not null default now(),
  primary key (organization_id, account_id),
  unique (organization_id, iban),
  check (0 <= reserved_minor and reserved_minor <= balance_minor),
  check ((kind = 'CUSTOMER') = (iban is not null and bic is not null)),
  check (kind = 'CUSTOMER' or (balance_minor = 0 and posting_count = 0))
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);

create unique index account_clearing on account (organization_id, currency) where kind = 'CLEARING';

create type posting_kind as enum ('DEPOSIT', 'TRANSFER', 'RETURN');

-- One posting is one complete double entry: amount_minor moves on account_id, and its opposite on
-- counter_account_id. A journal that does not sum to zero cannot be written down. line_no counts the postings of an
-- account without a gap (the account row is locked while it grows), so a removed line is noticed and the statement
-- can be paged in commit order.
create table posting (
  line_no int8 not null check (line_no > 0),
  amount_minor int8 not null check (amount_minor <> 0),
  bulk_no int8,
  posted_at timestamptz not null default now(),
  organization_id int4 not null,
  account_id int4 not null,
  counter_account_id int4 not null,
  kind posting_kind not null,
  seq int2,
  primary key (organization_id, account_id, line_no),
  check (account_id <> counter_account_id),
  check ((kind = 'DEPOSIT') = (bulk_no is null)),
  check ((bulk_no is null) = (seq is null)),
  check (kind <> 'TRANSFER' or amount_minor < 0),
  check (kind <> 'RETURN' or amount_minor > 0)
);
