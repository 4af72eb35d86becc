-- Up Migration
-- What happened, in order: the source of the feed, of webhooks and of the audit log. A new table; a column without a
-- default, which rewrites nothing and locks bulk for an instant.

-- The trace of the request that submitted it: what a worker does later belongs to that trace, too.
alter table bulk add column trace_id text;
create trigger trace_id_is_final before update of trace_id on bulk for each statement execute function refuse_change();

-- For lists of bulks, of all and of one status, the newest first. A bulk changes its status twice, so that the second
-- costs little. Locks bulk against writes while they are built.
create index bulk_by_time on bulk (organization_id, accepted_at, bulk_no);
create index bulk_by_status on bulk (organization_id, status, accepted_at, bulk_no);

-- A row is written in the transaction of what it tells of, by the same statement, and never one per transfer. It has no
-- name and no IBAN of anybody. version is that of the bulk: a bulk's versions are committed in order, since its row is
-- locked. event_no is not an order to read by: what got a lower number may commit later. So position and hash are null
-- until the sealer sees the committed row; it numbers each organization's events without a gap, and readers read by that.
create table event (
  event_no int8 generated always as identity,
  bulk_no int8,
  position int8 check (position > 0),
  occurred_at timestamptz not null default now(),
  organization_id int4 not null,
  version int4,
  type text not null check (type ~ '^[a-z]+\.[a-z_]+$'),
  actor text not null check (actor <> ''),
  trace_id text,
  data jsonb not null,
  hash bytea check (length(hash) = 32),
  primary key (organization_id, event_no),
  unique (organization_id, position),
  check ((position is null) = (hash is null)),
  check ((bulk_no is null) = (version is null))
) with (fillfactor = 80);

create index event_unsealed on event (event_no) where position is null;
create index event_of_bulk on event (organization_id, bulk_no, version) where bulk_no is not null;
-- What happens to a bulk once at most.
create unique index event_once on event (organization_id, bulk_no, type)
  where type in ('bulk.accepted', 'bulk.processing', 'bulk.stopped', 'bulk.completed');

create trigger no_delete before delete or truncate on event for each statement execute function refuse_change();

-- An event is sealed once; nothing else of it changes.
create function guard_event() returns trigger language plpgsql as $$
begin
  if (new.event_no, new.bulk_no, new.occurred_at, new.organization_id, new.version, new.type, new.actor, new.trace_id, new.data)
     is distinct from
     (old.event_no, old.bulk_no, old.occurred_at, old.organization_id, old.version, old.type, old.actor, old.trace_id, old.data)
     or old.position is not null or new.position is null
  then
    raise exception 'event % may not change in this way', old.event_no using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
create trigger guard before update on event for each row execute function guard_event();

-- What the hash of an event covers: a text that says the same on every server, in every time zone.
create function event_content(e event) returns text language sql immutable parallel safe as $$
  select jsonb_build_array(e.organization_id, e.event_no, e.type, e.bulk_no, e.version, e.actor, e.trace_id,
                           (extract(epoch from e.occurred_at) * 1000000)::int8, e.data)::text
$$;

-- The hash of an event is the SHA-256 of the hash before it (nothing before the first) and of its content. As an
-- aggregate over a window it goes on from the hash that is given as the first.
create function next_hash(previous bytea, content text) returns bytea language sql immutable parallel safe as $$
  select sha256(previous || convert_to(content, 'UTF8'))
$$;
create function chain_hash_step(state bytea, start bytea, content text) returns bytea language sql immutable parallel safe as $$
  select next_hash(coalesce(state, start), content)
$$;
create aggregate chain_hash(start bytea, content text) (sfunc = chain_hash_step, stype = bytea);

-- As the API writes it: src/domain/money.ts says the same, and a test compares what events say with what GET says.
create function amount_of(minor int8, currency text) returns text language sql immutable parallel safe as $$
  select case currency when 'EUR' then (minor::numeric / 100)::numeric(30, 2) end::text
$$;
create function share_of(count int4, minor int8, currency text) returns jsonb language sql immutable parallel safe as $$
  select jsonb_build_object('count', count, 'amount', amount_of(minor, currency))
$$;
create function time_of(at timestamptz) returns text language sql immutable parallel safe as $$
  select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- What GET says of a bulk, as far as the bulk's own row tells: how its open transfers are divided is told of a final
-- bulk only, and whether somebody should look is a matter of time.
create function bulk_facts(b bulk) returns jsonb language sql immutable parallel safe as $$
  select jsonb_build_object(
    'bulk_id', b.request_id, 'status', b.status, 'final', b.completed_at is not null, 'version', b.version,
    'currency', b.currency, 'total', share_of(b.transfer_count, b.total_minor, b.currency),
    'executed', share_of(b.executed_count, b.executed_minor, b.currency),
    'failed', share_of(b.failed_count, b.failed_minor, b.currency),
    'cancelled', share_of(b.cancelled_count, b.cancelled_minor, b.currency),
    'returned', share_of(b.returned_count, b.returned_minor, b.currency),
    'progress', (b.executed_count + b.failed_count + b.cancelled_count)::float8 / b.transfer_count,
    'accepted_at', time_of(b.accepted_at), 'completed_at', time_of(b.completed_at)
  ) || case when b.completed_at is null then '{}' else jsonb_build_object(
    'held', false, 'pending', share_of(0, 0, b.currency), 'processing', share_of(0, 0, b.currency), 'unknown', share_of(0, 0, b.currency)
  ) end
$$;

grant select on event to bulkhead_api, bulkhead_worker;
-- No position and no hash: nobody writes an event that is sealed already.
grant insert (organization_id, bulk_no, version, type, actor, trace_id, data) on event to bulkhead_api, bulkhead_worker;
grant update (position, hash) on event to bulkhead_worker;
alter table event enable row level security;
create policy organization_only on event to bulkhead_api using (organization_id = (select own_organization()));
create policy every_organization on event to bulkhead_worker using (true);
