-- Up Migration
-- Money that came back after execution. The value is only added here: PostgreSQL lets no transaction use a value of a
-- type that it added itself. A new table; nothing is locked.

alter type transfer_status add value 'RETURNED';

-- The outcome stays EXECUTED, which it was. The primary key is what makes a return happen once, however often the bank
-- tells of it. A bank may keep a fee, so it can be less than the transfer.
create table transfer_return (
  bulk_no int8 not null,
  amount_minor int8 not null check (amount_minor > 0),
  recorded_at timestamptz not null default now(),
  organization_id int4 not null,
  seq int2 not null,
  reason_code text,
  reason text,
  primary key (organization_id, bulk_no, seq)
);
create index transfer_return_recorded on transfer_return (recorded_at);
create trigger append_only before update or delete or truncate on transfer_return for each statement execute function refuse_change();
