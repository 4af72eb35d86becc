-- Up Migration
-- What payees' banks say of names and IBANs before a bulk is accepted. A column with a constant default, which rewrites
-- nothing, a new table, and the few rows of hold get a cause; its index of active holds is built anew.

-- off: nobody is asked; warn: whatever is no match is told; hold: and the bulk waits until the payer confirms it.
alter table organization add column payee_check text not null default 'warn' check (payee_check in ('off', 'warn', 'hold'));

-- One row a bulk, and not one a transfer: a letter each, in the order of seq, is the same evidence for a byte.
create table payee_verification (
  bulk_no int8 not null,
  checked_at timestamptz not null,
  organization_id int4 not null,
  held bool not null,
  -- M match, C close match, N no match, X not possible; null: the payer opted out for this bulk.
  results text check (results ~ '^[MCNX]+$'),
  -- Of close matches, by seq: the name that the account goes by.
  suggested_names jsonb check (jsonb_typeof(suggested_names) = 'object'),
  primary key (organization_id, bulk_no),
  check (results is not null or (suggested_names is null and not held))
);
create trigger append_only before update or delete or truncate on payee_verification for each statement execute function refuse_change();

alter table payee_verification enable row level security;
create policy organization_only on payee_verification to bulkhead_api using (organization_id = (select own_organization()));
create policy every_organization on payee_verification to bulkhead_worker using (true);
grant select, insert on payee_verification to bulkhead_api;
grant select on payee_verification to bulkhead_worker;

-- Who may end a hold depends on why it is: a payer confirms payees, and does not lift what an operator ordered.
alter table hold add column cause text not null default 'order' check (cause in ('order', 'payees')),
  add constraint hold_for_payees_is_of_a_bulk check (cause = 'order' or bulk_no is not null);
drop index hold_active;
create unique index hold_active on hold (organization_id, account_id, bulk_no, cause) nulls not distinct where released_at is null;
create index hold_of_bulk on hold (organization_id, bulk_no) where bulk_no is not null;

create or replace function guard_hold() returns trigger language plpgsql as $$
begin
  if (new.hold_no, new.bulk_no, new.held_at, new.organization_id, new.account_id, new.held_by, new.reason, new.cause)
     is distinct from
     (old.hold_no, old.bulk_no, old.held_at, old.organization_id, old.account_id, old.held_by, old.reason, old.cause)
     or old.released_at is not null
  then
    raise exception 'hold % may not change in this way', old.hold_no using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
