-- name: receive
-- Nothing comes back where the sender's id is there already; one who brings it at the same time waits here.
INSERT INTO inbox (tenant_id, message_id, source_id, sender_id, digest, state, due_at, content)
SELECT s.tenant_id, $3, s.source_id, $4, $5, 'received', CASE WHEN s.state = 'active' AND t.suspended_at IS NULL THEN now() + $6::interval ELSE 'infinity' END, $7
  FROM webhook_source s JOIN tenant t ON t.tenant_id = s.tenant_id
 WHERE s.tenant_id = $1 AND s.source_id = $2 AND s.deleted_at IS NULL
ON CONFLICT (tenant_id, source_id, sender_id) DO NOTHING RETURNING message_id;

-- name: known
SELECT message_id, digest, state FROM inbox WHERE tenant_id = $1 AND source_id = $2 AND sender_id = $3;

-- name: claim_message
SELECT tenant_id, message_id FROM claim_message();

-- name: put_off
-- A worker has so long for it, longer each time; then it is another one's.
UPDATE inbox SET due_at = now() + interval '30 seconds' * power(2, least(attempts, 8)), attempts = attempts + 1 WHERE tenant_id = $1 AND message_id = $2 RETURNING attempts;

-- name: due_now
UPDATE inbox SET due_at = now() WHERE tenant_id = $1 AND message_id = $2 AND state = 'received' AND due_at < 'infinity';

-- name: unsettled
SELECT i.message_id, i.source_id, i.sender_id, i.received_at, i.attempts, i.content, s.adapter, s.mapping, s.settings
  FROM inbox i JOIN webhook_source s ON s.tenant_id = i.tenant_id AND s.source_id = i.source_id
 WHERE i.tenant_id = $1 AND i.message_id = $2 AND i.state = 'received';

-- name: settle
UPDATE inbox SET state = $3, reason = $4, touchpoint_ids = $5, appointment_ids = $6, position = $7, due_at = NULL
 WHERE tenant_id = $1 AND message_id = $2 AND state = 'received';

-- name: hold_message
SELECT i.state, i.source_id, s.deleted_at, s.state AS source_state
  FROM inbox i JOIN webhook_source s ON s.tenant_id = i.tenant_id AND s.source_id = i.source_id
 WHERE i.tenant_id = $1 AND i.message_id = $2 FOR NO KEY UPDATE OF i;

-- name: again
-- Read anew: what waits in the quarantine, or was nothing, or dropped. While its source is paused it waits.
UPDATE inbox SET state = 'received', attempts = 0, due_at = CASE WHEN $3 THEN now() ELSE 'infinity' END
 WHERE tenant_id = $1 AND message_id = $2;

-- name: all_again
UPDATE inbox SET state = 'received', attempts = 0, due_at = CASE WHEN $3 THEN now() ELSE 'infinity' END
 WHERE tenant_id = $1 AND source_id = $2 AND state = 'quarantined' RETURNING message_id;

-- name: drop
UPDATE inbox SET state = 'dropped', due_at = NULL WHERE tenant_id = $1 AND message_id = $2;

-- name: drop_all
-- Of a source that is deleted.
UPDATE inbox SET state = 'dropped', reason = 'its source was deleted', due_at = NULL
 WHERE tenant_id = $1 AND source_id = $2 AND state IN ('received', 'quarantined');

-- name: pause
UPDATE inbox SET due_at = 'infinity' WHERE tenant_id = $1 AND source_id = $2 AND state = 'received';

-- name: resume
UPDATE inbox SET due_at = now() WHERE tenant_id = $1 AND source_id = $2 AND state = 'received' AND due_at = 'infinity';

-- name: resume_all
-- Of a tenant that was suspended: all of sources that are not paused.
UPDATE inbox i SET due_at = now(), attempts = 0
  FROM webhook_source s
 WHERE i.tenant_id = $1 AND i.state = 'received' AND s.tenant_id = i.tenant_id AND s.source_id = i.source_id AND s.state = 'active';

-- name: clear
-- What came to its end so long ago; what waits goes on waiting.
WITH old AS (
  SELECT message_id FROM inbox
   WHERE tenant_id = $1 AND received_at < now() - $2::interval AND state IN ('recorded', 'nothing', 'dropped') LIMIT $3)
DELETE FROM inbox i USING old WHERE i.tenant_id = $1 AND i.message_id = old.message_id RETURNING i.message_id;

-- name: page
SELECT message_id, source_id, sender_id, received_at, state, reason, attempts, touchpoint_ids, appointment_ids, position
  FROM inbox
 WHERE tenant_id = $1 AND ($2::uuid IS NULL OR source_id = $2) AND ($3::text IS NULL OR state = $3)
   AND ($4::timestamptz IS NULL OR (received_at, message_id) < ($4, $5::uuid))
 ORDER BY received_at DESC, message_id DESC LIMIT $6;

-- name: one
SELECT message_id, source_id, sender_id, received_at, state, reason, attempts, touchpoint_ids, appointment_ids, position, content
  FROM inbox WHERE tenant_id = $1 AND message_id = $2;
