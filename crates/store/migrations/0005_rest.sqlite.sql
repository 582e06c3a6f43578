-- Rests that news do not cut short, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- Until when something that was sent about the booking may still arrive; nobody gets it before.
alter table chain add column rest_until integer;
