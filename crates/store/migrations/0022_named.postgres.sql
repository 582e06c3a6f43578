-- What is known of whom records name, in PostgreSQL's words. Beside it stands the same in SQLite's, with the comments.

alter table record_wait add column counterpart text;
drop index record_wait_named;
create index record_wait_named on record_wait (workspace, integration, side, kind, record, coming, counterpart);
