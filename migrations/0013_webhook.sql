-- Up Migration
-- Webhooks: where organizations want to be told of their events, and what became of each. New tables only.

create table webhook_endpoint (
  endpoint_no int8 generated always as identity,
  -- Up to here the organization's events have been looked at for this endpoint.
  position int8 not null check (position >= 0),
  created_at timestamptz not null default now(),
  failing_since timestamptz,
  -- Until when the receiver wants to be left alone.
  paused_until timestamptz,
  disabled_at timestamptz,
  deleted_at timestamptz,
  old_secret_until timestamptz,
  organization_id int4 not null references organization,
  created_by text not null,
  url text not null,
  description text,
  -- Null: all of them.
  event_types text[] check (event_types <> '{}'),
  disabled_reason text check (disabled_reason in ('owner', 'gone', 'failing')),
  last_failure text,
  -- Null once the endpoint is deleted.
  secret bytea,
  old_secret bytea,
  primary key (organization_id, endpoint_no),
  check ((disabled_at is null) = (disabled_reason is null)),
  check ((secret is null) = (deleted_at is not null)),
  check ((old_secret is null) = (old_secret_until is null))
) with (fillfactor = 80);
create trigger no_delete before delete or truncate on webhook_endpoint for each statement execute function refuse_change();

-- One event for one endpoint. due_at is schedule and lease in one, as with chunks, and null when it has ended; whoever
-- takes it raises its epoch, and a record with an old epoch changes nothing.
create table webhook_delivery (
  delivery_no int8 generated always as identity,
  endpoint_no int8 not null,
  -- The event; null for a test.
  position int8,
  created_at timestamptz not null default now(),
  due_at timestamptz default now(),
  organization_id int4 not null,
  epoch int4 not null default 0,
  attempts int2 not null default 0,
  -- Of those attempts, how many failed since it was begun or begun again.
  failures int2 not null default 0,
  taken bool not null default false,
  status text not null default 'PENDING' check (status in ('PENDING', 'DELIVERED', 'FAILED')),
  type text not null,
  webhook_id text not null default 'msg_' || replace(gen_random_uuid()::text, '-', ''),
  primary key (organization_id, delivery_no),
  unique (organization_id, webhook_id),
  -- An event is one message to an endpoint, however often it is looked at.
  unique (organization_id, endpoint_no, position),
  foreign key (organization_id, endpoint_no) references webhook_endpoint,
  check ((status = 'PENDING') = (due_at is not null)),
  check (not taken or due_at is not null)
) with (fillfactor = 80);
create index webhook_delivery_due on webhook_delivery (organization_id, endpoint_no, due_at) where due_at is not null;
create index webhook_delivery_taken on webhook_delivery (organization_id, endpoint_no) where taken;
create index webhook_delivery_age on webhook_delivery using brin (created_at);

create table webhook_attempt (
  delivery_no int8 not null,
  attempted_at timestamptz not null default now(),
  organization_id int4 not null,
  duration_ms int4 not null,
  attempt_no int2 not null,
  http_status int2,
  -- Null: it was delivered.
  cause text,
  -- The beginning of what the receiver answered.
  answer text,
  primary key (organization_id, delivery_no, attempt_no)
);

grant select, insert, update on webhook_endpoint to bulkhead_api;
grant select, insert, update on webhook_delivery to bulkhead_api;
grant select on webhook_attempt to bulkhead_api;
grant select, update on webhook_endpoint to bulkhead_worker;
grant select, insert, update, delete on webhook_delivery to bulkhead_worker;
grant select, insert, delete on webhook_attempt to bulkhead_worker;

alter table webhook_endpoint enable row level security;
alter table webhook_delivery enable row level security;
alter table webhook_attempt enable row level security;
create policy organization_only on webhook_endpoint to bulkhead_api using (organization_id = (select own_organization()));
create policy organization_only on webhook_delivery to bulkhead_api using (organization_id = (select own_organization()));
create policy organization_only on webhook_attempt to bulkhead_api using (organization_id = (select own_organization()));
create policy every_organization on webhook_endpoint to bulkhead_worker using (true);
create policy every_organization on webhook_delivery to bulkhead_worker using (true);
create policy every_organization on webhook_attempt to bulkhead_worker using (true);
