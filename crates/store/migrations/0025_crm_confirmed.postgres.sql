-- What a person said of deletions in a CRM, in PostgreSQL's words. Beside it stands the same in SQLite's, with the comments.

alter table calendar_crm add column confirmed_at bigint;
