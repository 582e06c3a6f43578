-- Sources that are asked by themselves, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- 1 for what a poll found: it makes a booking due only if it says something new.
alter table inbox_new add column quiet integer not null default 0;

-- How far the poll of a source has come, when it goes on, and how its webhook subscription was last found.
create table poll_source (
    workspace text not null,
    source text not null,
    -- Nothing older than this is asked for.
    since integer not null,
    cursor text,
    next_at integer not null,
    failures integer not null,
    polled_at integer,
    -- Why the last poll failed; nothing where it did not.
    problem text,
    hook text,
    hook_at integer,
    primary key (workspace, source)
) without rowid;
