-- Records that were written since they were last read, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- Syncline has written the record since it was read: a page that shows it as it was then, at the same time by a clock of
-- whole seconds, is from before that write or from after somebody took it back.
alter table record_entry add column written integer not null default 0;
