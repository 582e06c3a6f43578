-- Calendars that are kept in step with a CRM, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- How far the reading of one calendar is.
create table calendar (
    workspace text not null,
    integration text not null,
    -- The connection and the calendar's own name there.
    calendar text not null,
    cursor text,
    -- Counts the readings from the beginning: what was last seen in an older one was not there in this one.
    epoch integer not null,
    -- 1 once a reading from the beginning came to its end: what came before is what was there when it was connected.
    settled integer not null,
    zone text,
    connected_at integer not null,
    next_at integer not null,
    failures integer not null,
    problem text,
    primary key (workspace, integration, calendar)
) without rowid;

-- One calendar's copy of an event.
create table calendar_copy (
    id integer primary key autoincrement,
    workspace text not null,
    integration text not null,
    calendar text not null,
    event text not null,
    -- What all copies of the meeting or series are called; nothing where only the calendar's own name of it ever came.
    uid text,
    rid text not null,
    epoch integer not null,
    -- 1 for what was there when the calendar was connected.
    baseline integer not null,
    -- 1 for what changed since.
    touched integer not null,
    -- 1 where the calendar is the organiser's.
    organizes integer not null,
    -- JSON; of a private event its identity and nothing else.
    copy blob not null,
    unique (workspace, integration, calendar, event)
);
create index calendar_copy_uid on calendar_copy (workspace, integration, uid, calendar, event);
create index calendar_copy_epoch on calendar_copy (workspace, integration, calendar, epoch, event);

-- What became of a meeting.
create table calendar_meeting (
    id integer primary key autoincrement,
    workspace text not null,
    integration text not null,
    uid text not null,
    rid text not null,
    -- `log`, or the word of the reason why it is not in the CRM.
    verdict text not null,
    -- JSON: for people and for the next decision.
    state blob not null,
    -- JSON: the CRM's records of it, with what was last agreed.
    links blob not null,
    -- JSON: what is on its way to the CRM, or may have arrived.
    plan blob,
    unique (workspace, integration, uid, rid)
);

-- Series and single meetings that are to be looked at.
create table calendar_due (
    workspace text not null,
    integration text not null,
    uid text not null,
    due_at integer not null,
    -- Counts the news: a decision that saw an older number does not undo them.
    revision integer not null,
    tries integer not null,
    primary key (workspace, integration, uid)
) without rowid;
create index calendar_due_at on calendar_due (workspace, integration, due_at, uid);
