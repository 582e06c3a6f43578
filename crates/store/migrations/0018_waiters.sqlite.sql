-- By whom a record is waited for, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- With all that is asked of a wait: SQLite prefers the table itself to an index with less.
create index record_wait_named on record_wait (workspace, integration, side, kind, record, coming);
