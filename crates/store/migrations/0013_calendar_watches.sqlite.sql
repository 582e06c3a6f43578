-- Having changes of calendars told by their vendors, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- When a calendar is to be read because its vendor said that it changed. What was read before knows nothing of that.
alter table calendar add column wake_at integer;
-- When to see to its watch again, and why that failed.
alter table calendar add column watch_at integer;
alter table calendar add column watch_failures integer not null default 0;
alter table calendar add column watch_problem text;

-- What was asked for, by a name of ours. It is written down before a vendor is asked: some tell before they answer.
create table calendar_watch (
    workspace text not null,
    name text not null,
    integration text not null,
    calendar text not null,
    connection text not null,
    -- What the vendor calls it, and what is watched.
    watch text not null,
    resource text,
    -- Marks of its secret and of the address at which it tells.
    secret blob not null,
    address blob not null,
    -- Nothing until the vendor has said so.
    until integer,
    -- 1 where it is known to reach us.
    works integer not null,
    heard_at integer,
    primary key (workspace, name)
) without rowid;
create index calendar_watch_named on calendar_watch (workspace, connection, watch);
create index calendar_watch_works on calendar_watch (workspace, integration, calendar, works, until);
