-- Whole readings of calendars that last until what they did not show was asked for, in PostgreSQL's words. Beside it stands the
-- same in SQLite's, with the comments.

alter table calendar add column unswept bigint not null default 0;
alter table calendar add column unswept_from bigint;
alter table calendar add column unswept_to bigint;
alter table calendar add column confirmed_at bigint;
