-- What was read, told apart, in PostgreSQL's words. Beside it stands the same in SQLite's, with the comments.

alter table record_pull add column fields text;

alter table record_entry add column digest bigint;
