-- Templates: their versions, which of them are in force, and who did what when.

-- A version never changes; an edit is a new one.
create table template (
    workspace text not null,
    kind text not null,
    name text not null,
    version integer not null,
    source text not null,
    at integer not null,
    who text not null,
    primary key (workspace, kind, name, version)
);

-- What is in force for a meeting type ('' for all that have none of their own): the row with the greatest seq; those
-- below it were in force before, so that going back is taking the top away. Version 0 is the built-in one.
create table template_active (
    workspace text not null,
    kind text not null,
    meeting_type text not null,
    seq integer not null,
    name text not null,
    version integer not null,
    primary key (workspace, kind, meeting_type, seq)
);

create table template_event (
    id integer primary key,
    workspace text not null,
    at integer not null,
    who text not null,
    action text not null,
    kind text not null,
    name text not null,
    version integer not null,
    meeting_type text
);
create index template_event_workspace on template_event (workspace);
