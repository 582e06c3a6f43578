-- What rounds over calendars and lists of meetings need, in PostgreSQL's words. Beside it stands the same in SQLite's, with
-- the comments.

alter table calendar add column whole_at bigint;

alter table calendar_meeting add column held bigint not null default 0;
create index calendar_meeting_page on calendar_meeting (workspace, integration, id);
create index calendar_meeting_verdict on calendar_meeting (workspace, integration, verdict, id);
create index calendar_meeting_held on calendar_meeting (workspace, integration, held, id);
