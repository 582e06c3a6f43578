-- What is known of whom records name, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- The counterpart that the named record had when whoever names it was decided about: another one is news.
alter table record_wait add column counterpart text;
-- With all that is asked of a wait: SQLite prefers the table itself to an index with less.
drop index record_wait_named;
create index record_wait_named on record_wait (workspace, integration, side, kind, record, coming, counterpart);
