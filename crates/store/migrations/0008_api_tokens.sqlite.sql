-- Tokens of the API's callers, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- The token itself is shown once and stored nowhere: it is random enough for a plain hash.
create table api_token (
    workspace text not null,
    id text not null,
    -- What people call it.
    name text not null,
    hash blob not null,
    -- 'read', or 'write' for everything.
    scope text not null,
    created_at integer not null,
    expires_at integer not null,
    primary key (workspace, id)
) without rowid;
create unique index api_token_hash on api_token (hash);
