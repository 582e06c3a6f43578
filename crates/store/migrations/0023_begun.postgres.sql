-- Readings of calendars that take many rounds, in PostgreSQL's words. Beside it stands the same in SQLite's, with the comments.

alter table calendar add column begun_at bigint;
