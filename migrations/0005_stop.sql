-- Up Migration
-- A bulk can be stopped: by wish (cancel), or by its first failure (on_failure stop). New columns with constant
-- defaults rewrite nothing, bulks that a failure has stopped are updated; the index is built anew and locks chunk against writes for as long as that takes.

alter table bulk add column stopped_at timestamptz;
-- Until now it was the count of failures that stopped a bulk; one that is open would go on.
update bulk set stopped_at = coalesce(completed_at, now()), version = version + 1
where on_failure = 'stop' and failed_count > 0;

-- exclusive: of such chunks of a bulk only one is worked on at a time (the unique index sees to it), so that nothing
-- is under way when a failure is recorded and stops the rest. since: when its transfers came into their status.
alter table chunk
  add column exclusive bool not null default false,
  add column since timestamptz not null default now();
update chunk c set exclusive = true
from bulk b
where (b.organization_id, b.bulk_no) = (c.organization_id, c.bulk_no) and b.on_failure = 'stop'
  and c.due_at is not null and c.worker is null;
create unique index chunk_exclusive on chunk (organization_id, bulk_no) where exclusive and worker is not null;

-- By organization first: claims take turns between organizations, so that a large bulk of one does not hold up another.
create index chunk_due_of_organization on chunk (organization_id, due_at) where due_at is not null;

-- As before, and: what was stopped stays stopped.
create or replace function guard_bulk() returns trigger language plpgsql as $$
begin
  if (new.organization_id, new.bulk_no, new.account_id, new.request_id, new.bulk_reference, new.content_hash, new.currency,
      new.transfer_count, new.total_minor, new.on_failure, new.accepted_at, new.label, new.metadata)
     is distinct from
     (old.organization_id, old.bulk_no, old.account_id, old.request_id, old.bulk_reference, old.content_hash, old.currency,
      old.transfer_count, old.total_minor, old.on_failure, old.accepted_at, old.label, old.metadata)
     or new.executed_count < old.executed_count or new.failed_count < old.failed_count
     or new.cancelled_count < old.cancelled_count or new.returned_count < old.returned_count
     or new.executed_minor < old.executed_minor or new.failed_minor < old.failed_minor
     or new.cancelled_minor < old.cancelled_minor or new.returned_minor < old.returned_minor
     or new.version <= old.version
     or (old.stopped_at is not null and new.stopped_at is distinct from old.stopped_at)
     or (old.completed_at is not null and
         (new.status, new.completed_at, new.executed_count, new.executed_minor, new.failed_count, new.failed_minor, new.cancelled_count, new.cancelled_minor)
         is distinct from
         (old.status, old.completed_at, old.executed_count, old.executed_minor, old.failed_count, old.failed_minor, old.cancelled_count, old.cancelled_minor))
     or (old.status = 'PROCESSING' and new.status in ('PENDING', 'SCHEDULED'))
  then
    raise exception 'bulk % may not change in this way', old.bulk_no using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;

-- As before, and: exclusive and since are part of what a chunk is.
create or replace function guard_chunk() returns trigger language plpgsql as $$
begin
  if (new.organization_id, new.bulk_no, new.chunk_no, new.seqs, new.open_minor, new.exclusive, new.since)
     is distinct from
     (old.organization_id, old.bulk_no, old.chunk_no, old.seqs, old.open_minor, old.exclusive, old.since)
     or new.epoch < old.epoch
     or old.due_at is null
     or not (new.status = old.status or (old.status = 'PENDING' and new.status = 'PROCESSING'))
  then
    raise exception 'chunk % of bulk % may not change in this way', old.chunk_no, old.bulk_no using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
