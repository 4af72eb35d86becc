-- Up Migration
-- Organization first: every other table's key starts with organization_id, and every transaction touches one
-- organization. New tables only; nothing is locked.

create table organization (
  organization_id int4 generated always as identity primary key,
  name text not null check (name <> ''),
  created_at timestamptz not null default now()
);
