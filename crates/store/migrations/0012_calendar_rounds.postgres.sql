-- What rounds over calendars and lists of meetings need, in PostgreSQL's words. Beside it stands the same in SQLite's, with
-- the comments.

alter table calendar add column whole_at bigint;

alter table calendar_meeting add column held bigint not null default 0;
create index calendar_meeting_page on calendar_meeting (workspace, integration, id);
create index calendar_meeting_verdict on calendar_meeting (workspace, integration, verdict, id);
create index calendar_meeting_held on calendar_meeting (workspace, integration, held, id);

create table calendar_crm (
    workspace text not null,
    integration text not null,
    since bigint not null,
    next_at bigint not null,
    creating bigint not null,
    primary key (workspace, integration)
);
alter table calendar_crm enable row level security;
alter table calendar_crm force row level security;
create policy own_workspace on calendar_crm using (
    workspace = (select current_setting('syncline.workspace', true))
    or (select current_setting('syncline.workspace', true)) = '*'
);

create table calendar_record (
    workspace text not null,
    integration text not null,
    record text not null,
    uid text not null,
    primary key (workspace, integration, record)
);
alter table calendar_record enable row level security;
alter table calendar_record force row level security;
create policy own_workspace on calendar_record using (
    workspace = (select current_setting('syncline.workspace', true))
    or (select current_setting('syncline.workspace', true)) = '*'
);
