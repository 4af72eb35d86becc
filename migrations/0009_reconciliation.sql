-- Up Migration
-- The bank's own statement beside our ledger, and the jobs that look after things. New tables and one small index.

-- A line of the bank's statement that belongs to a transfer. The bank's entry_no tells the same line read twice from
-- a second booking of the same transfer.
create table statement_entry (
  bulk_no int8 not null,
  entry_no int8 not null,
  amount_minor int8 not null,
  booked_at timestamptz not null,
  organization_id int4 not null,
  seq int2 not null,
  kind text not null check (kind in ('DEBIT', 'RETURN')),
  primary key (organization_id, bulk_no, seq, kind)
);
create trigger append_only before update or delete or truncate on statement_entry for each statement execute function refuse_change();

-- Bulks that are to be compared with the statement, in the order in which they became final.
create index bulk_completed on bulk (completed_at) where completed_at is not null;

-- Work that is to be done now and then by one process at a time. due_at is schedule and lease in one, as with chunks.
create table job (
  name text primary key,
  due_at timestamptz not null,
  -- Whether somebody does it; due_at is then the end of a lease.
  taken bool not null default false,
  done_at timestamptz,
  state jsonb not null default '{}',
  result text
);
