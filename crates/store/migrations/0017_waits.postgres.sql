-- Records that name others without a counterpart, in PostgreSQL's words. Beside it stands the same in SQLite's, with the
-- comments.

create table record_wait (
    workspace text not null,
    integration text not null,
    entry bigint not null,
    pair text not null,
    side bigint not null,
    kind text not null,
    record text not null,
    coming bigint not null,
    primary key (workspace, integration, entry, pair, side, kind, record)
);
alter table record_wait enable row level security;
alter table record_wait force row level security;
create policy own_workspace on record_wait using (
    workspace = (select current_setting('syncline.workspace', true))
    or (select current_setting('syncline.workspace', true)) = '*'
);
