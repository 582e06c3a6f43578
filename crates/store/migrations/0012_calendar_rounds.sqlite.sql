-- What rounds over calendars and lists of meetings need, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- When a calendar was last read as a whole.
alter table calendar add column whole_at integer;

-- 1 where the CRM refused what was to be written, and a person has to look.
alter table calendar_meeting add column held integer not null default 0;
create index calendar_meeting_page on calendar_meeting (workspace, integration, id);
create index calendar_meeting_verdict on calendar_meeting (workspace, integration, verdict, id);
create index calendar_meeting_held on calendar_meeting (workspace, integration, held, id);

-- How far the CRM was asked for meetings that people made or changed there.
create table calendar_crm (
    workspace text not null,
    integration text not null,
    -- What changed before is known.
    since integer not null,
    next_at integer not null,
    -- 1 while events are made of which nothing is kept yet: nobody may take them for meetings of their own.
    creating integer not null,
    primary key (workspace, integration)
) without rowid;

-- Which meeting a record of the CRM is.
create table calendar_record (
    workspace text not null,
    integration text not null,
    record text not null,
    uid text not null,
    primary key (workspace, integration, record)
) without rowid;
