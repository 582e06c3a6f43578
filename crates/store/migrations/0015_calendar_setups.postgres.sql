-- Integrations of calendars can be written through the API, too, in PostgreSQL's words. Beside it stands the same in SQLite's,
-- with the comments.

alter table record_setup add column kind text not null default 'records';

alter table calendar add column read_at bigint;
