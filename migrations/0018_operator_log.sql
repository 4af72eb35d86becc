-- Up Migration
-- What operators do to no organization (their keys, a hold of the bank) is recorded under the number 0, in a chain of
-- its own: event refers to no organization. So none may ever have that number. Reads organization once.

alter table organization add constraint organization_not_the_operators check (organization_id > 0);
