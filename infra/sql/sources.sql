-- name: source_of_token
SELECT tenant_id, source_id FROM source_of_token($1);

-- name: count_sources
SELECT count(*) FROM webhook_source WHERE tenant_id = $1 AND deleted_at IS NULL;

-- name: add_source
INSERT INTO webhook_source (tenant_id, source_id, name, adapter, scheme, token_digest, secrets, settings, mapping, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'active');

-- name: source
SELECT source_id, name, adapter, scheme, secrets, settings, mapping, state
  FROM webhook_source WHERE tenant_id = $1 AND source_id = $2 AND deleted_at IS NULL;

-- name: hold_source
SELECT source_id, name, adapter, scheme, secrets, settings, mapping, state
  FROM webhook_source WHERE tenant_id = $1 AND source_id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE;

-- name: change_source
UPDATE webhook_source SET name = coalesce($3, name), mapping = coalesce($4, mapping), settings = coalesce($5, settings), state = coalesce($6, state)
 WHERE tenant_id = $1 AND source_id = $2;

-- name: set_token
UPDATE webhook_source SET token_digest = $3 WHERE tenant_id = $1 AND source_id = $2;

-- name: set_secrets
UPDATE webhook_source SET secrets = $3 WHERE tenant_id = $1 AND source_id = $2;

-- name: delete_source
UPDATE webhook_source SET deleted_at = now() WHERE tenant_id = $1 AND source_id = $2;

-- name: views
SELECT s.source_id, s.name, s.adapter, s.scheme, s.mapping, s.state, s.added_at, s.settings,
       (SELECT count(*) FROM inbox i WHERE i.tenant_id = s.tenant_id AND i.source_id = s.source_id AND i.state = 'quarantined') AS quarantined,
       (SELECT max(i.received_at) FROM inbox i WHERE i.tenant_id = s.tenant_id AND i.source_id = s.source_id) AS received_at
  FROM webhook_source s
 WHERE s.tenant_id = $1 AND s.deleted_at IS NULL AND ($2::uuid IS NULL OR s.source_id = $2) ORDER BY s.added_at, s.source_id;

-- name: audit
INSERT INTO source_audit (tenant_id, audit_id, source_id, actor, act) VALUES ($1, uuidv7(), $2, $3, $4);

-- name: audits
SELECT at, actor, act FROM source_audit WHERE tenant_id = $1 AND source_id = $2 ORDER BY audit_id DESC LIMIT 200;
