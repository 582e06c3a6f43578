-- Records in step, in SQLite's words. Beside it stands the same in PostgreSQL's.
-- Sides are 0 for left and 1 for right. Ids are never given twice, so that a late word about a link or a step that is
-- gone cannot hit another one.

-- How an integration stands.
create table record_flow (
    workspace text not null,
    integration text not null,
    standing text not null,
    reason text,
    changed_at integer not null,
    agreed_by text,
    agreed_at integer,
    since integer,
    primary key (workspace, integration)
) without rowid;

-- How much there is, so that nobody has to count; and the row by which writers of one integration take turns.
create table record_tally (
    workspace text not null,
    integration text not null,
    entries_left integer not null,
    entries_right integer not null,
    links integer not null,
    primary key (workspace, integration)
) without rowid;

-- How far reading one kind of one side has come.
create table record_pull (
    workspace text not null,
    integration text not null,
    side integer not null,
    kind text not null,
    phase text not null,
    cursor text,
    next_at integer not null,
    failures integer not null,
    problem text,
    read_at integer,
    sweep integer not null,
    changes_cursor text,
    swept_at integer,
    primary key (workspace, integration, side, kind)
) without rowid;

-- The records that a side showed, or that we made there.
create table record_entry (
    id integer primary key autoincrement,
    workspace text not null,
    integration text not null,
    side integer not null,
    kind text not null,
    record text not null,
    match_key text,
    link integer,
    changed_at integer,
    -- 0 live, 1 deleted, 2 merged into another, 3 converted into another, 4 missing.
    fate integer not null,
    into_record text,
    due_at integer,
    note text,
    tries integer not null,
    -- 1 for a record that was tied once and was let go: none is made for it again.
    let_go integer not null default 0,
    -- Counts the news about it: a decision that saw an older number does not undo them.
    revision integer not null,
    -- The last whole reading that it was seen in.
    sweep integer not null,
    -- When it was last found deleted, merged or converted.
    gone_at integer,
    -- JSON; nothing where the record is as the link's images say.
    seen blob,
    unique (workspace, integration, side, kind, record)
);
create index record_entry_key on record_entry (workspace, integration, side, match_key) where match_key is not null;
create index record_entry_due on record_entry (workspace, integration, due_at) where due_at is not null;
create index record_entry_gone on record_entry (workspace) where gone_at is not null;

-- Two entries that are one thing, with what both sides last agreed on.
create table record_link (
    id integer primary key autoincrement,
    workspace text not null,
    integration text not null,
    pair text not null,
    left_entry integer,
    right_entry integer,
    -- Counts what people said about it: a decision that saw an older number does not undo that.
    revision integer not null,
    -- JSON; nothing where there is none.
    refused blob,
    decided blob,
    images blob not null
);
create index record_link_flow on record_link (workspace, integration);

-- Writes that are planned or sent and whose outcome is not known yet.
create table record_step (
    id integer primary key autoincrement,
    workspace text not null,
    integration text not null,
    link integer not null,
    side integer not null,
    kind text not null,
    op blob not null,
    fields blob not null,
    ticket text,
    look_at integer not null
);
create index record_step_look on record_step (workspace, integration, look_at);
create index record_step_link on record_step (workspace, link);
create index record_step_ticket on record_step (workspace, integration, ticket) where ticket is not null;

-- What is held back of an entry: a JSON list, never an empty one.
create table record_hold (
    workspace text not null,
    integration text not null,
    entry integer not null,
    holds blob not null,
    primary key (workspace, integration, entry)
) without rowid;

create table record_quota (
    workspace text not null,
    integration text not null,
    month text not null,
    used integer not null,
    -- The highest share, in percent, that somebody was told of.
    told integer not null,
    primary key (workspace, integration, month)
) without rowid;
