-- Integrations of calendars can be written through the API, too, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- What kind of integration it is: `records` or `calendars`. All share the names.
alter table record_setup add column kind text not null default 'records';

-- When the calendar last answered.
alter table calendar add column read_at integer;
