-- Having changes of calendars told by their vendors, in PostgreSQL's words. Beside it stands the same in SQLite's, with the
-- comments.

alter table calendar add column wake_at bigint;
alter table calendar add column watch_at bigint;
alter table calendar add column watch_failures bigint not null default 0;
alter table calendar add column watch_problem text;

create table calendar_watch (
    workspace text not null,
    name text not null,
    integration text not null,
    calendar text not null,
    connection text not null,
    watch text not null,
    resource text,
    secret bytea not null,
    address bytea not null,
    until bigint,
    works bigint not null,
    heard_at bigint,
    primary key (workspace, name)
);
create index calendar_watch_named on calendar_watch (workspace, connection, watch);
create index calendar_watch_works on calendar_watch (workspace, integration, calendar, works, until);
alter table calendar_watch enable row level security;
alter table calendar_watch force row level security;
create policy own_workspace on calendar_watch using (
    workspace = (select current_setting('syncline.workspace', true))
    or (select current_setting('syncline.workspace', true)) = '*'
);
