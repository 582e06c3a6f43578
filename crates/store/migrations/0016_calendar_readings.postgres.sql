-- How often each calendar was read to its end, in PostgreSQL's words. Beside it stands the same in SQLite's, with the comments.

alter table calendar add column readings bigint not null default 0;
