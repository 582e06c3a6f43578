-- Records that somebody asked for on the left side, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- One row for each person and pair, until it is carried out: asking twice is asking once.
create table record_ask (
    workspace text not null,
    integration text not null,
    pair text not null,
    -- 0 the right side's id of the record, 1 its e-mail address in normal form.
    named_by integer not null,
    subject text not null,
    asked_at integer not null,
    primary key (workspace, integration, pair, named_by, subject)
) without rowid;
