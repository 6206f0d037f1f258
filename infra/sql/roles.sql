-- name: set_password
-- The statement that gives a role its password: it takes no parameter, so PostgreSQL itself quotes it.
SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text);
