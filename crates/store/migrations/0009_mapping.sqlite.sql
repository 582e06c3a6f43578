-- What was read, told apart, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- Which fields were read of a kind of records: with others everything is read and decided about anew.
alter table record_pull add column fields text;

-- Of the row that was read last: one that bears its time and says the same is nothing new.
alter table record_entry add column digest integer;
