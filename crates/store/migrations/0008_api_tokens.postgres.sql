-- Tokens of the API's callers, in PostgreSQL's words. Beside it stands the same in SQLite's, with the comments.

create table api_token (
    workspace text not null,
    id text not null,
    name text not null,
    hash bytea not null,
    scope text not null,
    created_at bigint not null,
    expires_at bigint not null,
    primary key (workspace, id)
);
create unique index api_token_hash on api_token (hash);
alter table api_token enable row level security;
alter table api_token force row level security;
create policy own_workspace on api_token using (
    workspace = (select current_setting('syncline.workspace', true))
    or (select current_setting('syncline.workspace', true)) = '*'
);
