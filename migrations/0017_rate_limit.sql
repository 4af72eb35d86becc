-- Up Migration
-- What callers have used of their limits in the current minute, for LIMITS_STORE=postgres. Lost in a crash, which costs
-- nothing but a fresh minute, so it is not logged. It has the columns, in the order, that rate-limiter-flexible writes;
-- expire is milliseconds since 1970, as a number that JavaScript reads as one. No row-level security by organization:
-- keys are counted before anybody acts for one, and only the worker's role, which sees all, is granted anything.
create unlogged table rate_limit (
  key text primary key,
  points int4 not null,
  expire float8
) with (fillfactor = 50);
alter table rate_limit enable row level security;
create policy every_organization on rate_limit to bulkhead_worker using (true);
grant select, insert, update, delete on rate_limit to bulkhead_worker;
