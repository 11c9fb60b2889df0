-- A role that can only read one PostgreSQL database, for DataGenie. README.md beside this file says how it is run, by psql, as a superuser
-- or as the owner of the database and its tables who may create roles. What may be given by -v NAME=VALUE:
--
--   role               its name; datagenie_readonly if not given
--   password           its password; not given: as it was. A new role then has none until psql's \password gives it one
--   schemas            the schemas that it reads; public if not given
--   hidden             tables and views that it does not read, as table (of any of the schemas) or schema.table
--   owners             roles whose later tables it reads too; whoever owns something in the schemas if not given
--   new_tables         on, if not given: tables that these roles make later are read; off: only when this script has been run again
--   temporary          off, if not given: nobody makes temporary tables who was not given the right by name; on: whoever could still can
--   read_only          on, if not given: its transactions only read unless they say otherwise; off: they are as everybody's
--   statement_timeout  the longest that a statement of it runs unless it says otherwise; 10min if not given, 0: no limit
--
-- Lists have commas between their names. A name that holds a comma, or begins or ends with a space, can't be told. All of it is one
-- transaction: after an error nothing has changed. It may be run again at any time.

\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
\if :{?role} \else \set role datagenie_readonly \endif
\if :{?password} \else \set password '' \endif
\if :{?schemas} \else \set schemas public \endif
\if :{?hidden} \else \set hidden '' \endif
\if :{?owners} \else \set owners '' \endif
\if :{?new_tables} \else \set new_tables on \endif
\if :{?temporary} \else \set temporary off \endif
\if :{?read_only} \else \set read_only on \endif
\if :{?statement_timeout} \else \set statement_timeout 10min \endif

BEGIN;
SET LOCAL client_min_messages = warning;
-- Psql puts its variables into statements, not into the blocks below. A word that is neither on nor off fails here.
SELECT set_config('datagenie.role', :'role', true), set_config('datagenie.schemas', :'schemas', true),
       set_config('datagenie.hidden', :'hidden', true), set_config('datagenie.owners', :'owners', true),
       set_config('datagenie.new_tables', (:'new_tables'::boolean)::text, true),
       set_config('datagenie.temporary', (:'temporary'::boolean)::text, true),
       :'password' <> '' AS has_password, :'read_only'::boolean AS is_read_only
\gset datagenie_

-- 1. The role. What a role has unless it is said otherwise is what this one needs: nothing but that it may sign in.
SELECT format('CREATE ROLE %I', :'role') WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = :'role')
\gexec
ALTER ROLE :"role" LOGIN;
\if :datagenie_has_password
ALTER ROLE :"role" PASSWORD :'password';
\endif

-- 2. Limits that hold unless a session sets its own, as DataGenie's do for each statement.
\if :datagenie_is_read_only
ALTER ROLE :"role" SET default_transaction_read_only = on;
\else
ALTER ROLE :"role" RESET default_transaction_read_only;
\endif
ALTER ROLE :"role" SET statement_timeout = :'statement_timeout';

-- 3. What it reads and what it does not. The partitions of a hidden table are hidden with it.
DO $$
DECLARE
    reader name := current_setting('datagenie.role');
    wanted text[] := ARRAY(SELECT DISTINCT trim(word) FROM unnest(string_to_array(current_setting('datagenie.schemas'), ',')) word
                           WHERE trim(word) <> '');
    hidden_names text[] := ARRAY(SELECT DISTINCT trim(word) FROM unnest(string_to_array(current_setting('datagenie.hidden'), ',')) word
                                 WHERE trim(word) <> '');
    owner_names text[] := ARRAY(SELECT DISTINCT trim(word) FROM unnest(string_to_array(current_setting('datagenie.owners'), ',')) word
                                WHERE trim(word) <> '');
    hidden oid[];
    word text;
    relation record;
BEGIN
    IF cardinality(wanted) = 0 THEN
        RAISE EXCEPTION 'schemas names no schema';
    END IF;
    FOREACH word IN ARRAY wanted LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = word) THEN
            RAISE EXCEPTION 'there is no schema "%"', word;
        END IF;
    END LOOP;
    FOREACH word IN ARRAY hidden_names LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                       WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname = ANY (wanted)
                         AND word IN (c.relname, n.nspname || '.' || c.relname)) THEN
            RAISE EXCEPTION 'there is no table or view "%" to hide in the schemas %', word, array_to_string(wanted, ', ');
        END IF;
    END LOOP;
    WITH RECURSIVE named AS (
        SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname = ANY (wanted)
          AND (c.relname = ANY (hidden_names) OR n.nspname || '.' || c.relname = ANY (hidden_names))
        UNION
        SELECT i.inhrelid FROM named JOIN pg_catalog.pg_inherits i ON i.inhparent = named.oid
    )
    SELECT coalesce(array_agg(oid), '{}') INTO hidden FROM named;
    PERFORM set_config('datagenie.hidden_oids', hidden::text, true);

    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), reader);
    FOREACH word IN ARRAY wanted LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', word, reader);
    END LOOP;
    FOR relation IN
        SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
          AND ((n.nspname = ANY (wanted) AND NOT has_table_privilege(reader, c.oid, 'SELECT')) OR c.oid = ANY (hidden))
        ORDER BY n.nspname, c.relname
    LOOP
        IF relation.oid = ANY (hidden) THEN
            EXECUTE format('REVOKE ALL ON %I.%I FROM %I', relation.nspname, relation.relname, reader);
        ELSE
            EXECUTE format('GRANT SELECT ON %I.%I TO %I', relation.nspname, relation.relname, reader);
        END IF;
    END LOOP;

    -- Rights on later tables belong to who makes these, so they are given for each of these roles by name.
    FOR relation IN
        SELECT o.rolname, s.nspname, pg_has_role(o.oid, 'USAGE') AS is_ours
        FROM pg_catalog.pg_namespace s
        JOIN LATERAL (
            SELECT c.relowner AS oid FROM pg_catalog.pg_class c WHERE c.relnamespace = s.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
            UNION SELECT s.nspowner
            UNION SELECT d.datdba FROM pg_catalog.pg_database d WHERE d.datname = current_database()
        ) owner ON true
        JOIN pg_catalog.pg_roles o ON o.oid = owner.oid
        WHERE s.nspname = ANY (wanted) AND o.rolname !~ '^pg_' AND o.rolname <> reader AND cardinality(owner_names) = 0
        UNION
        SELECT o.name, s.name, coalesce(pg_has_role((SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = o.name), 'USAGE'), true)
        FROM unnest(owner_names) AS o (name) CROSS JOIN unnest(wanted) AS s (name)
        ORDER BY 1, 2
    LOOP
        IF NOT relation.is_ours THEN
            RAISE WARNING 'tables that "%" makes later in "%" are not read: run this again as somebody who has that role',
                relation.rolname, relation.nspname;
        ELSIF current_setting('datagenie.new_tables')::boolean THEN
            EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT ON TABLES TO %I',
                           relation.rolname, relation.nspname, reader);
        ELSE
            EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I REVOKE SELECT ON TABLES FROM %I',
                           relation.rolname, relation.nspname, reader);
        END IF;
    END LOOP;

    FOR relation IN
        SELECT DISTINCT n.nspname, v.relname FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
        JOIN pg_catalog.pg_class v ON v.oid = r.ev_class JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
        WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = ANY (hidden) AND v.oid <> ALL (hidden)
          AND has_table_privilege(reader, v.oid, 'SELECT')
        UNION
        SELECT n.nspname, p.relname FROM pg_catalog.pg_inherits i
        JOIN pg_catalog.pg_class p ON p.oid = i.inhparent JOIN pg_catalog.pg_namespace n ON n.oid = p.relnamespace
        WHERE i.inhrelid = ANY (hidden) AND p.oid <> ALL (hidden) AND has_table_privilege(reader, p.oid, 'SELECT')
        ORDER BY 1, 2
    LOOP
        RAISE WARNING '"%"."%" is read, and shows what a hidden table holds: hide it too unless that is meant',
            relation.nspname, relation.relname;
    END LOOP;
END
$$;

-- 4. What everybody may do, this role may too. So it is taken from PUBLIC, and each other role that may connect now gets it by name.
DO $$
DECLARE
    reader name := current_setting('datagenie.role');
    others text := (SELECT string_agg(quote_ident(rolname), ', ' ORDER BY rolname) FROM pg_catalog.pg_roles
                    WHERE rolname !~ '^pg_' AND rolname <> reader AND NOT rolsuper
                      AND has_database_privilege(oid, current_database(), 'CONNECT'));
    schema_name name;
BEGIN
    IF has_database_privilege('public', current_database(), 'TEMPORARY') AND NOT current_setting('datagenie.temporary')::boolean THEN
        IF others IS NOT NULL THEN
            EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %s', current_database(), others);
        END IF;
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    END IF;
    FOR schema_name IN
        SELECT nspname FROM pg_catalog.pg_namespace
        WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND has_schema_privilege('public', oid, 'CREATE')
    LOOP
        IF others IS NOT NULL THEN
            EXECUTE format('GRANT CREATE ON SCHEMA %I TO %s', schema_name, others);
        END IF;
        EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', schema_name);
    END LOOP;
END
$$;

-- 5. Whether it is so. What is left is not taken away here: it may be an application's role that was named by mistake.
DO $$
DECLARE
    reader name := current_setting('datagenie.role');
    hidden oid[] := current_setting('datagenie.hidden_oids')::oid[];
    beyond text;
BEGIN
    SELECT string_agg(what, '; ') INTO beyond FROM (
        SELECT unnest(array_remove(ARRAY[
                   CASE WHEN rolsuper THEN 'is a superuser' END,
                   CASE WHEN rolcreaterole THEN 'creates roles' END,
                   CASE WHEN rolcreatedb THEN 'creates databases' END,
                   CASE WHEN rolreplication THEN 'replicates' END,
                   CASE WHEN rolbypassrls THEN 'passes by row-level security' END,
                   CASE WHEN has_database_privilege(oid, current_database(), 'CREATE') THEN 'creates schemas' END,
                   CASE WHEN has_database_privilege(oid, current_database(), 'TEMPORARY')
                             AND NOT current_setting('datagenie.temporary')::boolean THEN 'makes temporary tables' END], NULL)) AS what
        FROM pg_catalog.pg_roles WHERE rolname = reader
        UNION ALL
        SELECT 'is a member of ' || quote_ident(r.rolname) FROM pg_catalog.pg_auth_members m
        JOIN pg_catalog.pg_roles r ON r.oid = m.roleid JOIN pg_catalog.pg_roles u ON u.oid = m.member WHERE u.rolname = reader
        UNION ALL
        SELECT 'creates in the schema ' || quote_ident(nspname) FROM pg_catalog.pg_namespace
        WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND has_schema_privilege(reader, oid, 'CREATE')
        UNION ALL
        SELECT 'changes ' || c.oid::regclass FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
          AND CASE WHEN c.relkind IN ('r', 'p', 'v', 'm', 'f')
                   THEN has_table_privilege(reader, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')
                        OR has_any_column_privilege(reader, c.oid, 'INSERT, UPDATE')
                   WHEN c.relkind = 'S' THEN has_sequence_privilege(reader, c.oid, 'UPDATE, USAGE')
                   ELSE false END
        UNION ALL
        SELECT 'reads the hidden ' || c.oid::regclass FROM pg_catalog.pg_class c
        WHERE c.oid = ANY (hidden) AND (has_table_privilege(reader, c.oid, 'SELECT') OR has_any_column_privilege(reader, c.oid, 'SELECT'))
    ) found;
    IF beyond IS NOT NULL THEN
        RAISE EXCEPTION 'the role "%" would do more than it should, so nothing was changed: %', reader, beyond
            USING HINT = 'Revoke it, also from PUBLIC, or name another role: DataGenie''s is for nothing else.';
    END IF;
END
$$;
COMMIT;

SELECT format('%I reads %s tables and views of %I; %s are hidden.', :'role',
              count(*) FILTER (WHERE has_table_privilege(:'role', c.oid, 'SELECT')), current_database(),
              count(*) FILTER (WHERE NOT has_table_privilege(:'role', c.oid, 'SELECT')))
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname IN (SELECT trim(word) FROM unnest(string_to_array(:'schemas', ',')) word);
