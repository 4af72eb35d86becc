-- Up Migration
-- Chunks that fall due at the same moment, as all of a new bulk do, are claimed in the order of the list. Ordered by due
-- time alone, whichever lies first on disk came first. Dropping comes first: it locks chunk against everything until both
-- indexes are built, each of which reads chunk once (ten rows for a bulk of 1000); to lock it more and more would end in
-- a deadlock with workers that are at it.

drop index chunk_due, chunk_due_of_organization;
create index chunk_due on chunk (due_at, chunk_no) where due_at is not null;
create index chunk_due_of_organization on chunk (organization_id, due_at, chunk_no) where due_at is not null;
