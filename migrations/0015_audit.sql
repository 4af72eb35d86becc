-- Up Migration
-- What administrators and operators do is an event like any other: in the same table, order and chain of hashes. The
-- types that there are become a list (src/events/event-types.ts says the same, and a test compares the two). Reads
-- event once and locks it against writes for the time of it: about a second a million events.

alter table event drop constraint event_type_check, add constraint event_type_check check (type in (
  'bulk.accepted', 'bulk.processing', 'bulk.progress', 'bulk.needs_attention', 'bulk.stopped', 'bulk.completed',
  'transfers.settled', 'transfers.returned',
  'organization.created', 'organization.limited', 'organization.policy_changed',
  'account.opened', 'account.limited', 'account.closed',
  'key.created', 'key.rotated', 'key.revoked',
  'hold.placed', 'hold.released', 'payees.released',
  'webhook.created', 'webhook.changed', 'webhook.deleted', 'webhook.secret_rotated',
  'transfer.resolved', 'incident.resolved'
));
