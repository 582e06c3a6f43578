-- What a person said of deletions in a CRM, in SQLite's words. Beside it stands the same in PostgreSQL's.

-- When a person said that the records of meetings that are gone from the CRM were deleted on purpose, until that is carried out.
alter table calendar_crm add column confirmed_at integer;
