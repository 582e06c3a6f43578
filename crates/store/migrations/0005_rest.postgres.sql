-- Rests that news do not cut short, in PostgreSQL's words. Beside it stands the same in SQLite's, with the comments.

alter table chain add column rest_until bigint;
