-- Up Migration
-- What was accepted lately (measurements: amounts within a short time, by organization) is found by time. One entry a
-- bulk, not a transfer. Locks bulk against writes for as long as the index is built: about a second a million bulks.

create index bulk_accepted on bulk (accepted_at);
