-- name: last
-- The change of the model told last.
SELECT position, recorded_at, body FROM event WHERE tenant_id = $1 AND stream = 'model' ORDER BY position DESC LIMIT 1;

-- name: builds
SELECT build, live, position, model FROM checkpoint WHERE tenant_id = $1 AND process = 'relationships' AND build > 0;
