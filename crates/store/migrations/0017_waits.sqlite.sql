-- Records that name others without a counterpart, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- One row for each record that an entry names and whose counterpart it waits for; replaced whenever the entry is decided about.
create table record_wait (
    workspace text not null,
    integration text not null,
    entry integer not null,
    -- The pair in which the named record may have a counterpart.
    pair text not null,
    side integer not null,
    kind text not null,
    record text not null,
    -- 1 where its counterpart was about to be made, or nobody had decided about it: then that it will have none is news, too.
    coming integer not null,
    primary key (workspace, integration, entry, pair, side, kind, record)
) without rowid;
