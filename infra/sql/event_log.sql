-- name: enter_tenant
-- The first statement of a tenant's transaction; `was` is empty unless somebody left a tenant set.
SELECT current_setting('app.tenant_id', true) AS was, set_config('app.tenant_id', $1, true), set_config('statement_timeout', $2, true);

-- name: append
-- One verdict for each append, in their order: three arrays. The function says what each verdict means. For rapport_writer.
SELECT verdicts, found_positions, holders
  FROM append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23);

-- name: append_own
-- The same, for the tenant of the transaction alone. For rapport_app.
SELECT verdicts, found_positions, holders
  FROM append_own($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23);

-- name: hold_head
-- The tenant's head, held to the end of this transaction, which may not last longer than two seconds.
SELECT set_config('transaction_timeout', '2s', true), hold_head();

-- name: position
SELECT position FROM tenant_head WHERE tenant_id = $1;

-- name: streams
-- These streams' events in order.
SELECT position, stream, event_id, type, version, occurred_at, recorded_at, body, sealed
  FROM event WHERE tenant_id = $1 AND stream = ANY ($2) ORDER BY position;

-- name: after
-- The log past a position, in order.
SELECT position, stream, event_id, type, version, occurred_at, recorded_at, body, sealed
  FROM event WHERE tenant_id = $1 AND position > $2 ORDER BY position LIMIT $3;

-- name: concerning
-- The log past a position and up to another, in order, without types that are somebody else's alone.
SELECT position, stream, event_id, type, version, occurred_at, recorded_at, body, sealed
  FROM event WHERE tenant_id = $1 AND position > $2 AND position <= $3 AND type <> ALL ($4) ORDER BY position LIMIT $5;

-- name: after_of_types
SELECT position, stream, event_id, type, version, occurred_at, recorded_at, body, sealed
  FROM event WHERE tenant_id = $1 AND position > $2 AND type = ANY ($3) ORDER BY position LIMIT $4;

-- name: by_ids
SELECT position, stream, event_id, type, version, occurred_at, recorded_at, body, sealed
  FROM event WHERE tenant_id = $1 AND event_id = ANY ($2);

-- name: chain
-- Everything the hash chain covers, for verification.
SELECT position, stream, event_id, type, version, occurred_at, recorded_at, body, sealed, meta, fingerprint, hash
  FROM event WHERE tenant_id = $1 AND position > $2 ORDER BY position LIMIT $3;

-- name: head
SELECT position, hash FROM tenant_head WHERE tenant_id = $1;

-- name: subject_keys
SELECT subject_id, wrapped_key FROM subject_key
 WHERE tenant_id = $1 AND subject_id = ANY ($2) AND wrapped_key IS NOT NULL;

-- name: holders
-- Who holds these handles; the arrays run side by side.
SELECT x.platform, x.handle, i.contact_id
  FROM unnest($2::text[], $3::bytea[]) AS x (platform, handle)
  JOIN identity i ON i.tenant_id = $1 AND i.platform = x.platform AND i.handle = x.handle;

-- name: known
-- Where these events stand, with their fingerprints, to tell repeats.
SELECT event_id, position, fingerprint, type, version, body FROM event WHERE tenant_id = $1 AND event_id = ANY ($2);

-- name: alive
SELECT 1;
