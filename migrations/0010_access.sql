-- Up Migration
-- Who may do what: API keys, two roles that own nothing, and row-level security. New columns without defaults rewrite
-- nothing; each table is locked for an instant. Roles belong to the whole server, so that another database may have
-- made them before.

do $$
begin
  create role bulkhead_api nologin;
exception when duplicate_object or unique_violation then null;
end $$;
do $$
begin
  create role bulkhead_worker nologin;
exception when duplicate_object or unique_violation then null;
end $$;
do $$
begin
  -- Whoever logs in takes one of the roles for each of its connections.
  execute format('grant bulkhead_api, bulkhead_worker to %I', current_user);
  execute format('grant usage on schema %I to bulkhead_api, bulkhead_worker', current_schema());
end $$;

-- An organization's profile. Limits that are null are the program's own.
alter table organization
  add column requests_per_minute int4 check (requests_per_minute > 0),
  add column transfers_per_minute int4 check (transfers_per_minute > 0);

-- Limits of what an account may pay, decided in the statement that reserves the money. spent_minor is what was
-- submitted on the day spent_on (UTC).
alter table account
  add column closed_at timestamptz,
  add column max_transfer_minor int8 check (max_transfer_minor > 0),
  add column max_bulk_minor int8 check (max_bulk_minor > 0),
  add column max_day_minor int8 check (max_day_minor > 0),
  add column spent_on date,
  add column spent_minor int8 not null default 0 check (spent_minor >= 0),
  -- Not that it is empty: what was paid before may come back after it was closed, and that has to be booked.
  add constraint account_closed_reserves_nothing check (closed_at is null or reserved_minor = 0);

-- A switch that somebody has turned: nothing is accepted from what is held, and nothing that was not sent is sent.
-- Without an account and a bulk it holds a whole organization; without an organization, the bank, that is everybody.
create table hold (
  hold_no int8 generated always as identity primary key,
  bulk_no int8,
  held_at timestamptz not null default now(),
  released_at timestamptz,
  organization_id int4 references organization,
  account_id int4,
  held_by text not null,
  reason text not null check (reason <> ''),
  released_by text,
  foreign key (organization_id, account_id) references account,
  foreign key (organization_id, bulk_no) references bulk,
  check (organization_id is not null or (account_id is null and bulk_no is null)),
  check (account_id is null or bulk_no is null),
  check ((released_at is null) = (released_by is null))
);
create unique index hold_active on hold (organization_id, account_id, bulk_no) nulls not distinct where released_at is null;
create trigger no_delete before delete or truncate on hold for each statement execute function refuse_change();

create function guard_hold() returns trigger language plpgsql as $$
begin
  if (new.hold_no, new.bulk_no, new.held_at, new.organization_id, new.account_id, new.held_by, new.reason)
     is distinct from (old.hold_no, old.bulk_no, old.held_at, old.organization_id, old.account_id, old.held_by, old.reason)
     or old.released_at is not null
  then
    raise exception 'hold % may not change in this way', old.hold_no using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
create trigger guard before update on hold for each row execute function guard_hold();

-- A key is shown once and kept as the SHA-256 of its secret, which has 190 bits of chance and so needs no salt. One
-- without an organization is an operator's.
create table api_key (
  key_id text primary key check (key_id ~ '^[0-9A-Za-z]{12}$'),
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  organization_id int4 references organization,
  environment text not null check (environment in ('test', 'live')),
  label text not null check (label <> ''),
  scopes text[] not null check (scopes <> '{}' and scopes <@ array['read', 'submit', 'cancel', 'webhooks', 'audit', 'admin', 'operator']),
  secret_hash bytea not null check (length(secret_hash) = 32),
  created_by text not null,
  check ((organization_id is null) = ('operator' = any (scopes)))
) with (fillfactor = 80);
create index api_key_of_organization on api_key (organization_id, created_at);
create trigger no_delete before delete or truncate on api_key for each statement execute function refuse_change();

create function guard_api_key() returns trigger language plpgsql as $$
begin
  if (new.key_id, new.created_at, new.organization_id, new.environment, new.scopes, new.secret_hash, new.created_by)
     is distinct from
     (old.key_id, old.created_at, old.organization_id, old.environment, old.scopes, old.secret_hash, old.created_by)
     or (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at)
     or (old.expires_at is not null and (new.expires_at is null or new.expires_at > old.expires_at))
  then
    raise exception 'key % may not change in this way', old.key_id using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
create trigger guard before update on api_key for each row execute function guard_api_key();

-- The one look across organizations that a request needs, before it is known whose it is. No row for a key that does
-- not exist or whose secret is another. That it was used is written once a minute.
create function authenticate_key(text, bytea)
  returns table (organization_id int4, scopes text[], environment text, expired bool, revoked bool)
  language sql volatile security definer set search_path from current as $$
  update api_key k set last_used_at = now()
  where k.key_id = $1 and k.secret_hash = $2 and k.revoked_at is null
    and (k.last_used_at is null or k.last_used_at < now() - interval '1 minute');
  select k.organization_id, k.scopes, k.environment,
         coalesce(k.expires_at <= now(), false), k.revoked_at is not null
  from api_key k where k.key_id = $1 and k.secret_hash = $2;
$$;
revoke execute on function authenticate_key(text, bytea) from public;
grant execute on function authenticate_key(text, bytea) to bulkhead_worker;

-- What each role's statements do, and nothing else.
grant select on organization, account, posting, bulk, transfer, outcome, attempt, chunk, transfer_return,
  transfer_retry, incident, hold, api_key to bulkhead_api;
grant insert on posting, bulk, transfer, outcome, chunk, transfer_retry, hold, api_key to bulkhead_api;
grant update on account, bulk, chunk, hold, api_key to bulkhead_api;

grant select on organization, account, posting, bulk, transfer, outcome, attempt, chunk, transfer_return,
  transfer_retry, notice, incident, statement_entry, hold, job, migration to bulkhead_worker;
grant insert on organization, account, posting, outcome, attempt, chunk, transfer_return, notice, incident,
  statement_entry, hold, job to bulkhead_worker;
grant update on organization, account, bulk, chunk, notice, incident, hold, job to bulkhead_worker;

-- bulkhead_api sees the rows of the organization that its connection was told of, and none if it was told of none.
alter table organization enable row level security;
alter table account enable row level security;
alter table posting enable row level security;
alter table bulk enable row level security;
alter table transfer enable row level security;
alter table outcome enable row level security;
alter table attempt enable row level security;
alter table chunk enable row level security;
alter table transfer_return enable row level security;
alter table transfer_retry enable row level security;
alter table notice enable row level security;
alter table incident enable row level security;
alter table statement_entry enable row level security;
alter table hold enable row level security;
alter table api_key enable row level security;

create function own_organization() returns int4 language sql stable parallel safe
  return nullif(current_setting('bulkhead.organization_id', true), '')::int4;

create policy organization_only on organization to bulkhead_api using (organization_id = (select own_organization()));
create policy organization_only on account to bulkhead_api using (organization_id = (select own_organization()));
create policy organization_only on posting to bulkhead_api using (organization_id = (select own_organization()));
create policy organization_only on bulk to bulkhead_api using (organization_id = (select own_organization()));
create policy organization_only on transfer to bulkhead_api using (organization_id = (select own_organization()));
create policy organization_only on outcome to bulkhead_api using (organization_id = (select own_organization()));
create policy organization_only on attempt to bulkhead_api using (organization_id = (select own_organization()));
create policy organization_only on chunk to bulkhead_api using (organization_id = (select own_organization()));
create policy organization_only on transfer_return to bulkhead_api using (organization_id = (select own_organization()));
create policy organization_only on transfer_retry to bulkhead_api using (organization_id = (select own_organization()));
create policy organization_only on incident to bulkhead_api using (organization_id = (select own_organization()));
create policy organization_only on hold to bulkhead_api using (organization_id = (select own_organization()));
create policy organization_only on api_key to bulkhead_api using (organization_id = (select own_organization()));

-- Nobody's key but a worker's reads what the bank said; workers do not see keys at all.
create policy every_organization on organization to bulkhead_worker using (true);
create policy every_organization on account to bulkhead_worker using (true);
create policy every_organization on posting to bulkhead_worker using (true);
create policy every_organization on bulk to bulkhead_worker using (true);
create policy every_organization on transfer to bulkhead_worker using (true);
create policy every_organization on outcome to bulkhead_worker using (true);
create policy every_organization on attempt to bulkhead_worker using (true);
create policy every_organization on chunk to bulkhead_worker using (true);
create policy every_organization on transfer_return to bulkhead_worker using (true);
create policy every_organization on transfer_retry to bulkhead_worker using (true);
create policy every_organization on notice to bulkhead_worker using (true);
create policy every_organization on incident to bulkhead_worker using (true);
create policy every_organization on statement_entry to bulkhead_worker using (true);
create policy every_organization on hold to bulkhead_worker using (true);
