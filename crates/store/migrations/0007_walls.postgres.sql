-- Workspaces are kept apart by every statement; from here on PostgreSQL keeps them apart by itself as well, even from
-- whoever owns the tables. A connection that has not said whose rows it works on sees none; '*' is everybody's.
-- A later table with a workspace needs the same: a test looks for it.

do $$
declare
    one name;
begin
    for one in
        select c.relname
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid
        where n.nspname = current_schema() and c.relkind = 'r' and a.attname = 'workspace' and not a.attisdropped
        order by c.relname
    loop
        execute format('alter table %I enable row level security', one);
        execute format('alter table %I force row level security', one);
        -- The setting is read once per statement, not once per row.
        execute format(
            'create policy own_workspace on %I using ('
            'workspace = (select current_setting(''syncline.workspace'', true)) '
            'or (select current_setting(''syncline.workspace'', true)) = ''*'')',
            one
        );
    end loop;
end $$;
