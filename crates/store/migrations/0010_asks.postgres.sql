-- Records that somebody asked for on the left side, in PostgreSQL's words. Beside it stands the same in SQLite's, with the
-- comments.

create table record_ask (
    workspace text not null,
    integration text not null,
    pair text not null,
    named_by bigint not null,
    subject text not null,
    asked_at bigint not null,
    primary key (workspace, integration, pair, named_by, subject)
);
alter table record_ask enable row level security;
alter table record_ask force row level security;
create policy own_workspace on record_ask using (
    workspace = (select current_setting('syncline.workspace', true))
    or (select current_setting('syncline.workspace', true)) = '*'
);
