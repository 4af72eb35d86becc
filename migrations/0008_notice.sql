-- Up Migration
-- What was said of a transfer beside the answers to our own calls. New tables; nothing is locked.

-- Said by the bank's callback, by a line of its statement, or by an operator with evidence. Kept for ever; only
-- due_at changes, which is when it is looked at (again), until it has been settled.
create table notice (
  bulk_no int8 not null,
  amount_minor int8 not null check (amount_minor > 0),
  received_at timestamptz not null default now(),
  due_at timestamptz default now(),
  organization_id int4 not null,
  seq int2 not null,
  status transfer_status not null,
  source text not null check (source in ('callback', 'statement', 'operator')),
  notice_id text not null,
  reason_code text,
  reason text,
  -- Who decided, and by what evidence.
  operator text,
  evidence text,
  primary key (organization_id, bulk_no, seq, source, notice_id),
  check ((source = 'operator') = (operator is not null and evidence is not null))
) with (fillfactor = 80);
create index notice_due on notice (due_at) where due_at is not null;
create trigger no_delete before delete or truncate on notice for each statement execute function refuse_change();

create function guard_notice() returns trigger language plpgsql as $$
begin
  if (new.organization_id, new.bulk_no, new.seq, new.source, new.notice_id, new.status, new.amount_minor, new.received_at,
      new.reason_code, new.reason, new.operator, new.evidence)
     is distinct from
     (old.organization_id, old.bulk_no, old.seq, old.source, old.notice_id, old.status, old.amount_minor, old.received_at,
      old.reason_code, old.reason, old.operator, old.evidence)
     or old.due_at is null
  then
    raise exception 'notice % may not change in this way', old.notice_id using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
create trigger guard before update on notice for each row execute function guard_notice();

-- What does not agree and what nobody works on: for people to look into. One row as long as it lasts, however often it
-- is found. organization_id is null where the bank names a payment that is none of ours.
create table incident (
  incident_no int8 generated always as identity primary key,
  opened_at timestamptz not null default now(),
  resolved_at timestamptz,
  bulk_no int8,
  organization_id int4 references organization,
  seq int2,
  kind text not null,
  subject text not null,
  details text not null,
  -- Who ended it and why, where it did not end by itself.
  resolution text
);
-- By the reference that a bank knows: callbacks and statements name nothing else.
create unique index bulk_by_reference on bulk (bulk_reference);

create unique index incident_open on incident (kind, subject) where resolved_at is null;
create index incident_of_bulk on incident (organization_id, bulk_no) where resolved_at is null;
create trigger no_delete before delete or truncate on incident for each statement execute function refuse_change();

-- An incident ends once; nothing else of it changes.
create function guard_incident() returns trigger language plpgsql as $$
begin
  if (new.incident_no, new.opened_at, new.organization_id, new.bulk_no, new.seq, new.kind, new.subject, new.details)
     is distinct from
     (old.incident_no, old.opened_at, old.organization_id, old.bulk_no, old.seq, old.kind, old.subject, old.details)
     or old.resolved_at is not null or new.resolved_at is null
  then
    raise exception 'incident % may not change in this way', old.incident_no using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
create trigger guard before update on incident for each row execute function guard_incident();
