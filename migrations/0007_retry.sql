-- Up Migration
-- Failed transfers of one bulk, sent again as another. A column without a default and a new table; nothing is rewritten.

alter table bulk add column retry_of int8;

-- A failed transfer is retried once: the primary key refuses a second child, however many ask at once.
create table transfer_retry (
  bulk_no int8 not null,
  child_bulk_no int8 not null,
  organization_id int4 not null,
  seq int2 not null,
  child_seq int2 not null,
  primary key (organization_id, bulk_no, seq),
  unique (organization_id, child_bulk_no, child_seq),
  check (child_bulk_no > bulk_no)
);
-- Of what a bulk is a retry is never changed.
create trigger retry_of_is_final before update of retry_of on bulk for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on transfer_retry for each statement execute function refuse_change();
