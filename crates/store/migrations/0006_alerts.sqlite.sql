-- Alerts, who agreed to what, and integrations that were written through the API, in SQLite's words. Beside it stands the
-- same in PostgreSQL's.

-- What a person is to be told by mail or webhook: written in the transaction of what it tells of.
create table alert (
    id integer primary key autoincrement,
    workspace text not null,
    -- What makes it one event: nobody is told of it twice.
    event text not null,
    at integer not null,
    -- When to try to tell it; nothing once it is told, or given up.
    due_at integer,
    tries integer not null,
    -- Why the last try failed.
    problem text,
    -- JSON: the ways by which it has been told already.
    told blob not null,
    -- JSON
    alert blob not null,
    unique (workspace, event)
);
create index alert_due on alert (workspace, due_at) where due_at is not null;

-- The version of the text that somebody agreed to.
alter table record_flow add column agreed_text text;

-- Integrations that keep records in step and were written through the API.
create table record_setup (
    workspace text not null,
    integration text not null,
    -- JSON, as the API takes it.
    source blob not null,
    -- Grows with every change; an editor who knew another one is refused.
    version integer not null,
    at integer not null,
    who text not null,
    primary key (workspace, integration)
) without rowid;
