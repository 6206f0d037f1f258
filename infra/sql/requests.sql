-- name: take
-- Nothing comes back where the key was used before; one who asks at the same time waits here for the other's end.
INSERT INTO request (tenant_id, request_id, fingerprint) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING request_id;

-- name: answered
SELECT fingerprint, answer FROM request WHERE tenant_id = $1 AND request_id = $2;

-- name: answer
UPDATE request SET answer = $3 WHERE tenant_id = $1 AND request_id = $2;

-- name: forget_old
DELETE FROM request WHERE tenant_id = $1 AND asked_at < now() - interval '30 days';
