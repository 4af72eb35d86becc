-- Up Migration
-- What was found while a bulk was checked, and what later bulks are compared with. A column with a constant default,
-- which rewrites nothing, and a new table.

-- strict refuses IBANs and BICs that can't be right; lenient accepts them with a warning.
alter table organization add column validation text not null default 'strict' check (validation in ('strict', 'lenient'));

-- Beside the bulk and not in it: a bulk's row is rewritten with every chunk, this one never.
create table bulk_check (
  bulk_no int8 not null,
  accepted_at timestamptz not null,
  organization_id int4 not null,
  warnings_total int4 not null check (warnings_total >= 0),
  -- The first of them, in the very words of the answer, which a replay repeats.
  warnings json,
  -- Four bytes for each transfer, in the order of seq.
  fingerprints bytea not null,
  primary key (organization_id, bulk_no),
  check ((warnings is null) = (warnings_total = 0))
);
-- They do not compress.
alter table bulk_check alter column fingerprints set storage external;
create index bulk_check_recent on bulk_check (organization_id, accepted_at);
create trigger append_only before update or delete or truncate on bulk_check for each statement execute function refuse_change();

grant select, insert on bulk_check to bulkhead_api;
grant select on bulk_check to bulkhead_worker;
alter table bulk_check enable row level security;
create policy organization_only on bulk_check to bulkhead_api using (organization_id = (select own_organization()));
create policy every_organization on bulk_check to bulkhead_worker using (true);
