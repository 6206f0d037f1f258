-- name: add
INSERT INTO tenant (tenant_id, name, country, locality, time_zone, wrapped_key) VALUES ($1, $2, $3, $4, $5, $6);

-- name: add_head
INSERT INTO tenant_head (tenant_id) VALUES ($1);

-- name: add_key
INSERT INTO api_key (tenant_id, key_id, secret_hash) VALUES ($1, $2, $3);

-- name: revoke_key
UPDATE api_key SET revoked_at = now() WHERE tenant_id = $1 AND key_id = $2 AND revoked_at IS NULL RETURNING key_id;

-- name: suspend
UPDATE tenant SET suspended_at = coalesce(suspended_at, now()) WHERE tenant_id = $1 RETURNING tenant_id;

-- name: resume
UPDATE tenant SET suspended_at = NULL WHERE tenant_id = $1 RETURNING tenant_id;

-- name: load
SELECT name, country, locality, time_zone, wrapped_key, suspended_at FROM tenant WHERE tenant_id = $1;

-- name: all_ids
SELECT tenant_ids() AS tenant_id;

-- name: tenant_of_key
SELECT tenant_of_key($1, $2);

-- name: add_checkpoints
-- One live build of each projection, the engine that suggests nudges, and the fan-out of webhooks.
INSERT INTO checkpoint (tenant_id, process, build, live)
SELECT $1, process, 1, true FROM unnest(ARRAY[
  'contacts',
  'timeline',
  'relationships',
  'network',
  'nudges',
  'referrals',
  'appointments',
  'gatherings',
  'nudge_engine',
  'webhooks']) AS process;

-- name: add_due_work
INSERT INTO due (tenant_id, task, due_at)
VALUES
  ($1, 'rescore', now()),
  ($1, 'suggest', now()),
  ($1, 'forget', now()),
  ($1, 'viewpoints', 'infinity');
