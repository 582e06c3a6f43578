-- What rounds over calendars and lists of meetings need, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- When a calendar was last read as a whole.
alter table calendar add column whole_at integer;

-- 1 where the CRM refused what was to be written, and a person has to look.
alter table calendar_meeting add column held integer not null default 0;
create index calendar_meeting_page on calendar_meeting (workspace, integration, id);
create index calendar_meeting_verdict on calendar_meeting (workspace, integration, verdict, id);
create index calendar_meeting_held on calendar_meeting (workspace, integration, held, id);
