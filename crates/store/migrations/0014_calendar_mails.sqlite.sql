-- What guests are mailed, and what became of records, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- When a meeting begins, where it may be known: whose records are to be looked for.
alter table calendar_meeting add column starts_at integer;
-- 1 while a write to its event is on its way of which guests are to be mailed.
alter table calendar_meeting add column untold integer not null default 0;
create index calendar_meeting_starts on calendar_meeting (workspace, integration, verdict, starts_at);
create index calendar_meeting_untold on calendar_meeting (workspace, integration, untold);

-- When it was last looked whether records of meetings to come are still there.
alter table calendar_crm add column records_at integer;

-- Mails to guests. A row is what is to be told to one guest of one revision of a meeting, for as long as that could be told
-- twice.
create table calendar_mail (
    id integer primary key autoincrement,
    workspace text not null,
    integration text not null,
    uid text not null,
    rid text not null,
    -- What it says.
    word text not null,
    revision integer not null,
    email text not null,
    -- `due`, `sending` (a row that is found so was left by a process that died), `sent`, `refused`, `unknown`.
    state text not null,
    at integer not null,
    due_at integer not null,
    tries integer not null,
    problem text,
    -- JSON: the mail; nothing once it is sent.
    letter blob,
    unique (workspace, integration, uid, rid, word, revision, email)
);
create index calendar_mail_due on calendar_mail (workspace, integration, state, due_at);
