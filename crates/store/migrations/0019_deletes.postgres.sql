-- Deletions are counted by the day, and what a person confirmed is kept, in PostgreSQL's words. Beside it stands the same
-- in SQLite's, with the comments.

alter table record_tally add column deletes bigint not null default 0;
alter table record_tally add column deletes_since bigint;

alter table record_flow add column confirmed_at bigint;
