-- name: who_we_are
-- The server's major version, and whether the role that logs in stands above row-level security.
SELECT current_setting('server_version_num')::int / 10000 AS version,
       rolname AS role, rolsuper OR rolbypassrls AS above_the_walls
FROM pg_roles WHERE rolname = session_user;
