-- Sources that are asked by themselves, in PostgreSQL's words. Beside it stands the same in SQLite's, with the comments.

alter table inbox_new add column quiet bigint not null default 0;

create table poll_source (
    workspace text not null,
    source text not null,
    since bigint not null,
    cursor text,
    next_at bigint not null,
    failures bigint not null,
    polled_at bigint,
    problem text,
    hook text,
    hook_at bigint,
    primary key (workspace, source)
);
