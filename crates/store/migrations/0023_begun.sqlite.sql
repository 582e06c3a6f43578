-- Readings of calendars that take many rounds, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- When the reading began whose pages are not all read yet: what a vendor told since then may not be in it.
alter table calendar add column begun_at integer;
