-- Deletions are counted by the day, and what a person confirmed is kept, in SQLite's words. Beside it stands the same in
-- PostgreSQL's.

-- Deletions that were planned since then: a day that begins with the first of them.
alter table record_tally add column deletes integer not null default 0;
alter table record_tally add column deletes_since integer;

-- When a person said that whatever is missing was deleted on purpose, until that is carried out.
alter table record_flow add column confirmed_at integer;
