-- What is known of a message beside its body, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- Whether a poll found it, rather than that its source sent it.
alter table inbox add column polled integer not null default 0;
-- How the body is written, as its sender says; nothing for a poll's row.
alter table inbox add column content_type text;
update inbox set polled = 1 where key like 'poll|%';
