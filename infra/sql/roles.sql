-- name: set_password
-- The statement that gives the application's role a password: it takes no parameter, so PostgreSQL itself quotes it.
SELECT format('ALTER ROLE rapport_app PASSWORD %L', $1::text);
