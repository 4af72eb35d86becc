-- Up Migration
-- Money that is added to an account after its opening. The reference is the caller's own word for it, and its primary
-- key what makes it happen once. Each row has one posting, the line of its account: verify compares the two. A new
-- table, and one more type of event: reads event once and locks it against writes for the time of it, about a second a
-- million events.

create table deposit (
  line_no int8 not null,
  amount_minor int8 not null check (amount_minor > 0),
  organization_id int4 not null,
  account_id int4 not null,
  reference text not null check (reference ~ '^[A-Za-z0-9._:/-]{1,64}$'),
  primary key (organization_id, account_id, reference),
  unique (organization_id, account_id, line_no),
  foreign key (organization_id, account_id) references account
);
create trigger append_only before update or delete or truncate on deposit for each statement execute function refuse_change();

alter table deposit enable row level security;
create policy organization_only on deposit to bulkhead_api using (organization_id = (select own_organization()));
create policy every_organization on deposit to bulkhead_worker using (true);
grant select on deposit to bulkhead_api, bulkhead_worker;
grant insert on deposit to bulkhead_worker;

alter table event drop constraint event_type_check, add constraint event_type_check check (type in (
  'bulk.accepted', 'bulk.processing', 'bulk.progress', 'bulk.needs_attention', 'bulk.stopped', 'bulk.completed',
  'transfers.settled', 'transfers.returned',
  'organization.created', 'organization.limited', 'organization.policy_changed',
  'account.opened', 'account.deposited', 'account.limited', 'account.closed',
  'key.created', 'key.rotated', 'key.revoked',
  'hold.placed', 'hold.released', 'payees.released',
  'webhook.created', 'webhook.changed', 'webhook.deleted', 'webhook.secret_rotated',
  'transfer.resolved', 'incident.resolved'
));
