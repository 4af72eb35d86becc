-- Up Migration
-- Bulks, their transfers, what became of them, and the chunks in which they are worked off. New tables only.

create type bulk_status as enum
  ('PENDING', 'SCHEDULED', 'PROCESSING', 'COMPLETED', 'PARTIALLY_COMPLETED', 'FAILED', 'CANCELLED');
create type on_failure as enum ('continue', 'stop');

-- What a bulk is once every transfer is final. src/domain/status.ts says the same; a test compares the two.
create function final_bulk_status(transfer_count int4, executed_count int4, failed_count int4) returns bulk_status
  language sql immutable parallel safe
  return case
    when executed_count = transfer_count then 'COMPLETED'::bulk_status
    when executed_count > 0 then 'PARTIALLY_COMPLETED'::bulk_status
    when failed_count > 0 then 'FAILED'::bulk_status
    else 'CANCELLED'::bulk_status
  end;

-- The bulk is its own idempotency record: request_id is unique per organization, for ever, and content_hash tells a
-- replay from other content. bulk_reference is a ULID, 26 characters, unique over all installations that share a
-- bank; a transfer's id, and its reference at the bank, is bulk_reference-seq.
create table bulk (
  bulk_no int8 generated always as identity,
  total_minor int8 not null check (total_minor > 0),
  executed_minor int8 not null default 0,
  failed_minor int8 not null default 0,
  cancelled_minor int8 not null default 0,
  returned_minor int8 not null default 0,
  accepted_at timestamptz not null default now(),
  completed_at timestamptz,
  organization_id int4 not null,
  account_id int4 not null,
  transfer_count int4 not null check (transfer_count between 1 and 1000),
  executed_count int4 not null default 0,
  failed_count int4 not null default 0,
  cancelled_count int4 not null default 0,
  returned_count int4 not null default 0,
  chunk_count int4 not null,
  version int4 not null default 1,
  status bulk_status not null default 'PENDING',
  on_failure on_failure not null,
  request_id uuid not null,
  bulk_reference text not null check (bulk_reference ~ '^[0-9A-HJKMNP-TV-Z]{26}$'),
  content_hash bytea not null,
  currency text not null,
  label text,
  metadata jsonb,
  primary key (organization_id, bulk_no),
  unique (organization_id, request_id),
  unique (organization_id, bulk_reference),
  foreign key (organization_id, account_id) references account,
  check (executed_count >= 0 and failed_count >= 0 and cancelled_count >= 0 and returned_count between 0 and executed_count),
  check (executed_minor >= 0 and failed_minor >= 0 and cancelled_minor >= 0 and returned_minor between 0 and executed_minor),
  check (executed_count + failed_count + cancelled_count <= transfer_count),
  check (executed_minor + failed_minor + cancelled_minor <= total_minor),
  constraint bulk_final_exactly_when_all_are check (
    case when executed_count + failed_count + cancelled_count = transfer_count
      then completed_at is not null
        and executed_minor + failed_minor + cancelled_minor = total_minor
        and status = final_bulk_status(transfer_count, executed_count, failed_count)
      else completed_at is null and status in ('PENDING', 'SCHEDULED', 'PROCESSING')
    end)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);

-- The instruction, never changed. No foreign key to bulk: one statement writes both, deletes are refused, and a
-- checked key costs a look-up and a row lock per transfer.
create table transfer (
  bulk_no int8 not null,
  amount_minor int8 not null check (amount_minor > 0),
  organization_id int4 not null,
  seq int2 not null check (seq between 0 and 999),
  counterparty_name text not null,
  counterparty_bic text not null,
  counterparty_iban text not null,
  description text not null,
  client_transfer_id text,
  end_to_end_id text,
  metadata jsonb,
  primary key (organization_id, bulk_no, seq)
);

create type transfer_status as enum
  ('PENDING', 'PROCESSING', 'SENT', 'UNKNOWN', 'EXECUTED', 'FAILED', 'CANCELLED');

-- The end of a transfer. Its primary key is what makes the end happen once: money moves only for rows that
-- `on conflict do nothing` really inserted. It repeats the amount, so that the statement that inserts it can post it
-- without joining back (a nested loop of n x n, since the planner expects one row there).
create table outcome (
  bulk_no int8 not null,
  amount_minor int8 not null check (amount_minor > 0),
  recorded_at timestamptz not null default now(),
  organization_id int4 not null,
  seq int2 not null,
  status transfer_status not null check (status in ('EXECUTED', 'FAILED', 'CANCELLED')),
  reason_code text,
  reason text,
  primary key (organization_id, bulk_no, seq),
  check ((status = 'FAILED') = (reason_code is not null))
);

-- An answer that ended nothing: the bank refused before accepting, or nobody knows what it did. None is written for
-- a transfer that is executed at the first call.
create table attempt (
  bulk_no int8 not null,
  recorded_at timestamptz not null default now(),
  organization_id int4 not null,
  seq int2 not null,
  attempt_no int4 not null check (attempt_no > 0),
  status transfer_status not null check (status in ('PENDING', 'SENT', 'UNKNOWN')),
  reason text not null,
  primary key (organization_id, bulk_no, seq, attempt_no)
);

-- The unit of claim, lease, fence and retry. An open chunk (due_at is set) holds transfers without an outcome, all
-- in the chunk's status; a transfer is in exactly one open chunk until it has an outcome. due_at is when anyone may
-- claim it: the time it falls due, and while it is claimed the end of the lease. epoch is the fence.
create table chunk (
  bulk_no int8 not null,
  due_at timestamptz,
  open_minor int8 not null check (open_minor > 0),
  organization_id int4 not null,
  chunk_no int4 not null,
  epoch int4 not null default 0,
  attempts int4 not null default 0,
  status transfer_status not null default 'PENDING' check (status in ('PENDING', 'PROCESSING', 'SENT', 'UNKNOWN')),
  worker text,
  seqs int2[] not null check (cardinality(seqs) between 1 and 1000),
  primary key (organization_id, bulk_no, chunk_no),
  foreign key (organization_id, bulk_no) references bulk
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);

create index chunk_due on chunk (due_at) where due_at is not null;
