-- Records that were written since they were last read, in PostgreSQL's words. Beside it stands the same in SQLite's, with
-- the comments.

alter table record_entry add column written bigint not null default 0;
