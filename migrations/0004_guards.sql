-- Up Migration
-- What must never change, refused by the database itself. Locks each table for an instant to add its trigger.

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% of % is refused: its rows are final', lower(tg_op), tg_table_name using errcode = 'integrity_constraint_violation';
end $$;

create trigger append_only before update or delete or truncate on transfer for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on outcome for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on attempt for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on posting for each statement execute function refuse_change();
create trigger no_delete before delete or truncate on bulk for each statement execute function refuse_change();
create trigger no_delete before delete or truncate on chunk for each statement execute function refuse_change();
create trigger no_delete before delete or truncate on account for each statement execute function refuse_change();
create trigger no_delete before delete or truncate on organization for each statement execute function refuse_change();

-- The instruction part of a bulk never changes, counts and their amounts never fall, and a final bulk stays as it is;
-- only what the bank sends back afterwards is counted beside it.
create function guard_bulk() returns trigger language plpgsql as $$
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

create trigger guard before update on bulk for each row execute function guard_bulk();

-- A chunk is claimed, taken over and closed; its transfers never change, its epoch never falls, and once closed it
-- stays closed. A transfer that goes on (to be asked again, or unknown) goes on in a new chunk.
create function guard_chunk() returns trigger language plpgsql as $$
begin
  if (new.organization_id, new.bulk_no, new.chunk_no, new.seqs, new.open_minor)
     is distinct from (old.organization_id, old.bulk_no, old.chunk_no, old.seqs, old.open_minor)
     or new.epoch < old.epoch
     or old.due_at is null
     or not (new.status = old.status or (old.status = 'PENDING' and new.status = 'PROCESSING'))
  then
    raise exception 'chunk % of bulk % may not change in this way', old.chunk_no, old.bulk_no using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;

create trigger guard before update on chunk for each row execute function guard_chunk();
