-- What is known of a message beside its body, in PostgreSQL's words. Beside it stands the same in SQLite's, with the
-- comments.

alter table inbox add column polled bigint not null default 0;
alter table inbox add column content_type text;
update inbox set polled = 1 where key like 'poll|%';
