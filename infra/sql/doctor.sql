-- name: who_we_are
-- The server's major version, and whether the role that logs in stands above row-level security.
SELECT current_setting('server_version_num')::int / 10000 AS version,
       rolname AS role, rolsuper OR rolbypassrls AS above_the_walls
FROM pg_roles WHERE rolname = session_user;

-- name: more_than_a_writer
-- Whether the role that logs in may append for many tenants, and whether it may do anything else of ours. No row where the
-- database is not migrated so far.
SELECT session_user AS role, writer.appends,
       EXISTS (SELECT FROM pg_roles r WHERE r.rolname <> session_user AND pg_has_role(session_user, r.oid, 'MEMBER'))
    OR EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = to_regnamespace('rapport') AND p.proname <> 'append'
                                       AND has_function_privilege(session_user, p.oid, 'EXECUTE'))
    OR EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = to_regnamespace('rapport') AND c.relkind IN ('r', 'v')
                                        AND has_any_column_privilege(session_user, c.oid, 'SELECT, INSERT, UPDATE'))
       AS more
  FROM (SELECT has_function_privilege(session_user, p.oid, 'EXECUTE') AS appends
          FROM pg_proc p WHERE p.pronamespace = to_regnamespace('rapport') AND p.proname = 'append') writer;
