-- By whom a record is waited for, in PostgreSQL's words. Beside it stands the same in SQLite's, with the
-- comments.

create index record_wait_named on record_wait (workspace, integration, side, kind, record, coming);
