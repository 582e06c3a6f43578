-- Everything that Syncline remembers, in SQLite's words. Beside it stands the same in PostgreSQL's.
-- Times are microseconds since 1970 in UTC; truth values are 0 and 1; JSON is a blob.
-- A table that holds large values keeps SQLite's row id, which keeps recent rows together; the others are their index.

create table vault_canary (
    master text primary key,
    sealed blob not null
) without rowid;

create table workspace (
    workspace text primary key,
    master text not null,
    data_key blob not null
) without rowid;

-- Webhooks as they came. A row never changes, save that its body is dropped after a while.
create table inbox (
    id integer primary key,
    workspace text not null,
    integration text not null,
    source text not null,
    key text not null,
    received integer not null,
    state integer not null,
    reason text,
    messages blob,
    body blob,
    unique (workspace, source, key)
);
create index inbox_workspace on inbox (workspace);
create index inbox_parked on inbox (workspace) where state = 2;

-- What of the inbox is not yet in a chain's state; `after` holds back a message that ties chains which are being worked on.
create table inbox_new (
    workspace text not null,
    id integer not null,
    after integer not null,
    primary key (workspace, id)
) without rowid;

create table chain (
    id integer primary key,
    workspace text not null,
    chain text not null,
    integration text not null,
    source text not null,
    revision integer not null,
    fence integer not null,
    owner text,
    -- When somebody may next take it: the end of the lease while it is held; nothing while it rests or is parked.
    due_at integer,
    attempts integer not null,
    parked integer not null,
    parked_reason text,
    parked_fix text,
    -- The plan in the outbox was sent and its outcome is unknown.
    unsettled integer not null,
    -- Put off until another chain has made a shared record.
    deferred integer not null,
    waiting_since integer,
    -- The same, for messages that came while it was held.
    next_since integer,
    updated_at integer not null,
    summary blob,
    search text,
    unique (workspace, chain)
);
create index chain_workspace on chain (workspace);
create index chain_due on chain (workspace, integration, due_at) where due_at is not null;
create index chain_parked on chain (workspace) where parked = 1;

create table chain_state (
    id integer primary key,
    workspace text not null,
    state blob not null,
    -- The inbox rows that the state was made of, and the nodes that lead to it: JSON lists.
    inbox blob not null,
    nodes blob not null
);

create table chain_links (
    id integer primary key,
    workspace text not null,
    links blob not null
);

create table chain_node (
    workspace text not null,
    source text not null,
    node text not null,
    chain_id integer not null,
    primary key (workspace, source, node)
) without rowid;

create table outbox (
    id integer primary key,
    workspace text not null,
    connection text not null,
    fence integer not null,
    attempt integer not null,
    sent_at integer not null,
    creates blob not null,
    plan blob not null
);

create table shared_link (
    workspace text not null,
    connection text not null,
    key text not null,
    role text,
    record text,
    account text,
    pending integer,
    primary key (workspace, connection, key)
) without rowid;

create table shared_wait (
    workspace text not null,
    connection text not null,
    key text not null,
    chain_id integer not null,
    since integer not null,
    primary key (workspace, connection, key, chain_id)
) without rowid;

create table journal (
    id integer primary key,
    workspace text not null,
    at integer not null,
    chain text,
    integration text,
    kind text not null,
    -- 1 for what is rare and looked for: everything but written and unchanged.
    rare integer not null,
    entry blob not null
);
create index journal_workspace on journal (workspace);
create index journal_chain on journal (workspace, chain);
create index journal_rare on journal (workspace, kind) where rare = 1;

create table connection (
    workspace text not null,
    connection text not null,
    vendor text not null,
    status text not null,
    paused_until integer,
    reason text,
    tokens blob,
    version integer not null,
    api_used integer,
    api_max integer,
    primary key (workspace, connection)
) without rowid;

create table lease (
    workspace text not null,
    name text not null,
    holder text not null,
    fence integer not null,
    until integer not null,
    primary key (workspace, name)
) without rowid;

create table cursor_at (
    workspace text not null,
    name text not null,
    value text not null,
    primary key (workspace, name)
) without rowid;

create table oauth_flow (
    state_hash blob primary key,
    workspace text not null,
    connection text not null,
    session_hash blob not null,
    expires integer not null,
    verifier blob not null
) without rowid;
create index oauth_flow_workspace on oauth_flow (workspace, expires);
