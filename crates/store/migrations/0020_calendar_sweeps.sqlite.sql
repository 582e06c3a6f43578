-- Whole readings of calendars that last until what they did not show was asked for, in SQLite's words. Beside it stands the
-- same in PostgreSQL's.

-- A whole reading has come to its end, and what it did not show is still to be asked for; the time that it covered, each end
-- open where there is none.
alter table calendar add column unswept integer not null default 0;
alter table calendar add column unswept_from integer;
alter table calendar add column unswept_to integer;
-- When a person said that whatever the reading under way does not show was deleted on purpose.
alter table calendar add column confirmed_at integer;
