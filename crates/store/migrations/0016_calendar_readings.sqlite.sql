-- How often each calendar was read to its end, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- Tells whether a calendar was read since something was seen elsewhere, whatever the clocks of several processes say.
alter table calendar add column readings integer not null default 0;
