-- name: endpoints
-- Those that are told something: not deleted; paused and disabled ones get their rows too, and send them later.
SELECT endpoint_id, types, after_position FROM webhook_endpoint WHERE tenant_id = $1 AND deleted_at IS NULL;

-- name: events_after
-- What happened past a position, as far as fan-out needs it.
SELECT position, event_id, type, recorded_at FROM event
 WHERE tenant_id = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT $4;

-- name: queue
-- One delivery for each endpoint, event and replay, however often it is asked for; the arrays run side by side.
INSERT INTO webhook_delivery (tenant_id, delivery_id, endpoint_id, event_id, position, type, replay_no, state, due_at)
SELECT $1, x.delivery_id, x.endpoint_id, x.event_id, x.position, x.type, $2, 'waiting', now()
  FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::bigint[], $7::text[]) AS x (delivery_id, endpoint_id, event_id, position, type)
ON CONFLICT (tenant_id, endpoint_id, event_id, replay_no) DO NOTHING;

-- name: hold_lanes
-- In one order, so that two who wake several never wait for each other.
SELECT endpoint_id FROM webhook_lane WHERE tenant_id = $1 AND endpoint_id = ANY ($2) ORDER BY endpoint_id FOR NO KEY UPDATE;

-- name: hold_all_lanes
SELECT endpoint_id FROM webhook_lane WHERE tenant_id = $1 ORDER BY endpoint_id FOR NO KEY UPDATE;

-- name: open_lanes
-- All that may send are looked at now: while their tenant was suspended they were closed one by one as their turn came.
UPDATE webhook_lane l SET open = true, next_due = now()
  FROM webhook_endpoint e
 WHERE l.tenant_id = $1 AND e.tenant_id = l.tenant_id AND e.endpoint_id = l.endpoint_id AND e.state = 'active' AND e.deleted_at IS NULL;

-- name: wake_lanes
-- These endpoints have something due now; the caller holds their lanes.
UPDATE webhook_lane SET next_due = least(next_due, now()) WHERE tenant_id = $1 AND endpoint_id = ANY ($2);

-- name: claim_lane
-- The endpoint whose turn it is, but none of these tenants': they have enough under way.
SELECT tenant_id, endpoint_id FROM claim_lane($1);

-- name: next_lane_due
SELECT next_lane_due();

-- name: endpoint
SELECT e.endpoint_id, e.url, e.types, e.body, e.ordered, e.at_once, e.headers, e.secrets, e.state, e.deleted_at, l.probe_at
  FROM webhook_endpoint e JOIN webhook_lane l ON l.tenant_id = e.tenant_id AND l.endpoint_id = e.endpoint_id
 WHERE e.tenant_id = $1 AND e.endpoint_id = $2;

-- name: under_way
SELECT count(*) FROM webhook_delivery
 WHERE tenant_id = $1 AND endpoint_id = $2 AND state = 'sending' AND lease_until > now();

-- name: expired
-- Their worker did not come back in time.
SELECT delivery_id, event_id, position, type, replay_no, test, state, attempts, due_at, lease_until, content FROM webhook_delivery
 WHERE tenant_id = $1 AND endpoint_id = $2 AND state = 'sending' AND lease_until <= now() ORDER BY lease_until LIMIT $3 FOR UPDATE;

-- name: due
-- What happened comes before what is replayed; within each, what was due first.
SELECT delivery_id, event_id, position, type, replay_no, test, state, attempts, due_at, lease_until, content FROM webhook_delivery
 WHERE tenant_id = $1 AND endpoint_id = $2 AND state = 'waiting' AND (replay_no > 0) = $4 AND due_at <= now()
 ORDER BY due_at, position LIMIT $3 FOR UPDATE;

-- name: first_open
-- The only one an ordered endpoint may be sent: nothing overtakes it. A replay is in order within itself.
SELECT delivery_id, event_id, position, type, replay_no, test, state, attempts, due_at, lease_until, content FROM webhook_delivery
 WHERE tenant_id = $1 AND endpoint_id = $2 AND state IN ('waiting', 'sending')
 ORDER BY replay_no, position LIMIT 1 FOR UPDATE;

-- name: events_at
SELECT position, stream, event_id, type, version, occurred_at, recorded_at, body, sealed
  FROM event WHERE tenant_id = $1 AND position = ANY ($2);

-- name: take
UPDATE webhook_delivery d
   SET state = x.state, attempts = x.attempts, lease = x.lease, lease_until = x.lease_until, content = x.content,
       ended_at = CASE WHEN x.state = 'exhausted' THEN now() END
  FROM unnest($2::uuid[], $3::text[], $4::smallint[], $5::uuid[], $6::timestamptz[], $7::bytea[])
       AS x (delivery_id, state, attempts, lease, lease_until, content)
 WHERE d.tenant_id = $1 AND d.delivery_id = x.delivery_id;

-- name: next_due
-- When this lane is to be looked at again; an ordered one waits for its first.
SELECT CASE WHEN $3 THEN
         (SELECT coalesce(lease_until, due_at) FROM webhook_delivery
           WHERE tenant_id = $1 AND endpoint_id = $2 AND state IN ('waiting', 'sending') ORDER BY replay_no, position LIMIT 1)
       ELSE least(
         (SELECT min(due_at) FROM webhook_delivery WHERE tenant_id = $1 AND endpoint_id = $2 AND state = 'waiting' AND NOT replay_no > 0),
         (SELECT min(due_at) FROM webhook_delivery WHERE tenant_id = $1 AND endpoint_id = $2 AND state = 'waiting' AND replay_no > 0),
         (SELECT min(lease_until) FROM webhook_delivery WHERE tenant_id = $1 AND endpoint_id = $2 AND state = 'sending')) END;

-- name: serve_lane
UPDATE webhook_lane SET next_due = $3, served_at = CASE WHEN $5 THEN clock_timestamp() ELSE served_at END, probe_at = $4, open = $6
 WHERE tenant_id = $1 AND endpoint_id = $2;

-- name: lane
SELECT probe_at, breaker, failing_since, failures, warned FROM webhook_lane
 WHERE tenant_id = $1 AND endpoint_id = $2 FOR UPDATE;

-- name: finish
-- Only whoever holds the lease may say what became of it.
UPDATE webhook_delivery d
   SET state = x.state, attempts = x.attempts, due_at = x.due_at, lease = NULL, lease_until = NULL,
       ended_at = CASE WHEN x.state IN ('delivered', 'exhausted') THEN now() END
  FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::smallint[], $6::timestamptz[])
       AS x (delivery_id, lease, state, attempts, due_at)
 WHERE d.tenant_id = $1 AND d.delivery_id = x.delivery_id AND d.lease = x.lease AND d.state = 'sending'
RETURNING d.delivery_id;

-- name: note_attempts
INSERT INTO webhook_attempt (tenant_id, delivery_id, number, endpoint_id, started_at, milliseconds, status, failure, counts, test, request, answer)
SELECT $1, x.delivery_id,
       (SELECT coalesce(max(a.number), 0) + 1 FROM webhook_attempt a WHERE a.tenant_id = $1 AND a.delivery_id = x.delivery_id),
       $2, x.started_at, x.milliseconds, x.status, x.failure, x.counts, x.test, x.request, x.answer
  FROM unnest($3::uuid[], $4::timestamptz[], $5::int[], $6::smallint[], $7::text[], $8::boolean[], $9::boolean[], $10::bytea[], $11::bytea[])
       AS x (delivery_id, started_at, milliseconds, status, failure, counts, test, request, answer);

-- name: note_health
UPDATE webhook_lane
   SET probe_at = $3, breaker = $4, failing_since = $5, failures = $6, warned = $7, delivered_at = coalesce($8, delivered_at)
 WHERE tenant_id = $1 AND endpoint_id = $2;

-- name: disable
UPDATE webhook_endpoint SET state = 'disabled', reason = $3
 WHERE tenant_id = $1 AND endpoint_id = $2 AND state <> 'disabled' AND deleted_at IS NULL RETURNING endpoint_id;

-- name: close_lane
UPDATE webhook_lane SET open = false WHERE tenant_id = $1 AND endpoint_id = $2;

-- name: claim_replay
SELECT tenant_id, replay_id FROM claim_replay();

-- name: replay
SELECT r.endpoint_id, r.replay_no, r.types, r.position, r.through, r.failed_since, e.types AS endpoint_types, e.deleted_at
  FROM webhook_replay r JOIN webhook_endpoint e ON e.tenant_id = r.tenant_id AND e.endpoint_id = r.endpoint_id
 WHERE r.tenant_id = $1 AND r.replay_id = $2;

-- name: failed_after
-- What this endpoint never got, by position: exhausted or cancelled, and not delivered by a later replay.
SELECT DISTINCT ON (d.position) d.position, d.event_id, d.type, d.queued_at AS recorded_at FROM webhook_delivery d
 WHERE d.tenant_id = $1 AND d.endpoint_id = $5 AND d.position > $2 AND d.position <= $3 AND d.replay_no < $6
   AND d.state IN ('exhausted', 'cancelled') AND coalesce(d.ended_at, d.queued_at) >= $7
   AND NOT EXISTS (SELECT FROM webhook_delivery o WHERE o.tenant_id = $1 AND o.endpoint_id = $5 AND o.event_id = d.event_id
                      AND (o.state = 'delivered' OR (o.replay_no = $6)))
 ORDER BY d.position LIMIT $4;

-- name: advance_replay
UPDATE webhook_replay SET position = $3, queued = queued + $4, ended_at = CASE WHEN $5 THEN now() END
 WHERE tenant_id = $1 AND replay_id = $2;

-- name: forget_old
-- Deliveries that ended more than 30 days ago, with their attempts, so many at once; how many they were.
WITH gone AS (
  DELETE FROM webhook_delivery WHERE tenant_id = $1 AND delivery_id IN (
    SELECT delivery_id FROM webhook_delivery WHERE tenant_id = $1 AND queued_at < now() - interval '30 days'
       AND ended_at < now() - interval '30 days' LIMIT $2) RETURNING 1)
SELECT count(*) FROM gone;

-- name: next_lease_end
SELECT min(lease_until) FROM webhook_delivery WHERE tenant_id = $1 AND endpoint_id = $2 AND state = 'sending';

-- name: look_again
UPDATE webhook_lane SET next_due = $3 WHERE tenant_id = $1 AND endpoint_id = $2;

-- name: audit
INSERT INTO webhook_audit (tenant_id, audit_id, endpoint_id, actor, act) VALUES ($1, uuidv7(), $2, $3, $4);

-- name: count_endpoints
SELECT count(*) FROM webhook_endpoint WHERE tenant_id = $1 AND deleted_at IS NULL;

-- name: add_endpoint
-- It is told what comes after the head of this moment: fan-out may be behind it or not.
INSERT INTO webhook_endpoint (tenant_id, endpoint_id, url, types, body, ordered, at_once, headers, secrets, description, state, after_position)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'active', h.position FROM tenant_head h WHERE h.tenant_id = $1;

-- name: add_lane
INSERT INTO webhook_lane (tenant_id, endpoint_id, open) VALUES ($1, $2, true);

-- name: hold_endpoint
-- Not more than this: a lane that is changed twice in a transaction asks for a share of its endpoint's key.
SELECT state, secrets FROM webhook_endpoint WHERE tenant_id = $1 AND endpoint_id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE;

-- name: change_endpoint
UPDATE webhook_endpoint
   SET url = coalesce($3, url), types = coalesce($4, types), body = coalesce($5, body), ordered = coalesce($6, ordered),
       at_once = coalesce($7, at_once), headers = coalesce($8, headers), description = coalesce($9, description),
       state = coalesce($10, state), reason = CASE WHEN $10::text IS NULL THEN reason END
 WHERE tenant_id = $1 AND endpoint_id = $2;

-- name: set_lane
-- Active again: with a clean slate, and what waits is due.
UPDATE webhook_lane
   SET open = $3, next_due = CASE WHEN $3 THEN now() ELSE next_due END, probe_at = NULL, breaker = '', failing_since = NULL, failures = 0, warned = false
 WHERE tenant_id = $1 AND endpoint_id = $2;

-- name: delete_endpoint
UPDATE webhook_endpoint SET deleted_at = now() WHERE tenant_id = $1 AND endpoint_id = $2;

-- name: cancel_open
UPDATE webhook_delivery SET state = 'cancelled', lease = NULL, lease_until = NULL, ended_at = now()
 WHERE tenant_id = $1 AND endpoint_id = $2 AND state IN ('waiting', 'sending');

-- name: set_secrets
UPDATE webhook_endpoint SET secrets = $3 WHERE tenant_id = $1 AND endpoint_id = $2;

-- name: queue_test
INSERT INTO webhook_delivery (tenant_id, delivery_id, endpoint_id, event_id, position, type, test, state, due_at, content)
VALUES ($1, $2, $3, $4, 0, $5, true, 'waiting', now(), $6);

-- name: position_before
-- The last position recorded before this time.
SELECT coalesce(max(position), 0) FROM event WHERE tenant_id = $1 AND recorded_at < $2;

-- name: next_replay
UPDATE webhook_endpoint SET replays = replays + 1 WHERE tenant_id = $1 AND endpoint_id = $2 RETURNING replays;

-- name: add_replay
INSERT INTO webhook_replay (tenant_id, replay_id, endpoint_id, replay_no, types, position, first, through, failed_since)
VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8);

-- name: delivery_endpoint
SELECT endpoint_id, state, test FROM webhook_delivery WHERE tenant_id = $1 AND delivery_id = $2;

-- name: queue_again
INSERT INTO webhook_delivery (tenant_id, delivery_id, endpoint_id, event_id, position, type, replay_no, state, due_at)
SELECT d.tenant_id, $3, d.endpoint_id, d.event_id, d.position, d.type, $4, 'waiting', now()
  FROM webhook_delivery d WHERE d.tenant_id = $1 AND d.delivery_id = $2;

-- name: views
-- All endpoints of a tenant, or one of them, with how sending goes.
SELECT e.endpoint_id, e.url, e.types, e.body, e.ordered, e.at_once, e.headers, e.description, e.state, e.reason, e.after_position, e.added_at,
       l.probe_at, l.failing_since, l.failures, l.delivered_at,
       (SELECT count(*) FROM webhook_delivery d WHERE d.tenant_id = $1 AND d.endpoint_id = e.endpoint_id AND d.state IN ('waiting', 'sending')) AS open
  FROM webhook_endpoint e JOIN webhook_lane l ON l.tenant_id = e.tenant_id AND l.endpoint_id = e.endpoint_id
 WHERE e.tenant_id = $1 AND e.deleted_at IS NULL AND ($2::uuid IS NULL OR e.endpoint_id = $2) ORDER BY e.endpoint_id;

-- name: deliveries
-- The newest first, with what the last attempt came to; $6 and $7 are the last row of the page before.
SELECT d.delivery_id, d.endpoint_id, d.event_id, d.position, d.type, d.replay_no, d.test, d.state, d.attempts, d.due_at, d.queued_at, d.ended_at,
       a.status, a.failure, a.started_at, a.milliseconds
  FROM webhook_delivery d LEFT JOIN LATERAL (
         SELECT status, failure, started_at, milliseconds FROM webhook_attempt a
          WHERE a.tenant_id = d.tenant_id AND a.delivery_id = d.delivery_id ORDER BY a.number DESC LIMIT 1) a ON true
 WHERE d.tenant_id = $1 AND ($2::uuid IS NULL OR d.endpoint_id = $2) AND ($3::text[] IS NULL OR d.state = ANY ($3))
   AND ($4::text IS NULL OR d.type = $4) AND ($5::timestamptz IS NULL OR d.queued_at >= $5)
   AND ($6::timestamptz IS NULL OR (d.queued_at, d.delivery_id) < ($6, $7::uuid))
 ORDER BY d.queued_at DESC, d.delivery_id DESC LIMIT $8;

-- name: delivery
SELECT d.delivery_id, d.endpoint_id, d.event_id, d.position, d.type, d.replay_no, d.test, d.state, d.attempts, d.due_at, d.queued_at, d.ended_at,
       NULL::smallint AS status, NULL::text AS failure, NULL::timestamptz AS started_at, NULL::int AS milliseconds
  FROM webhook_delivery d WHERE d.tenant_id = $1 AND d.delivery_id = $2;

-- name: attempts
SELECT number, started_at, milliseconds, status, failure, counts, request, answer FROM webhook_attempt
 WHERE tenant_id = $1 AND delivery_id = $2 ORDER BY number;

-- name: hours
-- Attempts by hour, tests and our own faults left out.
SELECT date_trunc('hour', started_at, 'UTC') AS hour, count(*) FILTER (WHERE status BETWEEN 200 AND 299) AS delivered,
       count(*) FILTER (WHERE status IS NULL OR status NOT BETWEEN 200 AND 299) AS failed
  FROM webhook_attempt WHERE tenant_id = $1 AND endpoint_id = $2 AND started_at >= $3 AND counts AND NOT test GROUP BY 1 ORDER BY 1;

-- name: latency
SELECT percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY milliseconds) AS found, count(*) AS answered
  FROM webhook_attempt
 WHERE tenant_id = $1 AND endpoint_id = $2 AND started_at >= $3 AND counts AND NOT test AND status IS NOT NULL AND milliseconds IS NOT NULL;

-- name: replays
SELECT replay_id, replay_no, types, position, first, through, failed_since, queued, asked_at, ended_at,
       (SELECT count(*) FROM webhook_delivery d WHERE d.tenant_id = r.tenant_id AND d.endpoint_id = r.endpoint_id AND d.replay_no = r.replay_no
           AND d.state = 'delivered') AS delivered
  FROM webhook_replay r WHERE tenant_id = $1 AND endpoint_id = $2 ORDER BY asked_at DESC, replay_id DESC LIMIT 100;

-- name: audits
SELECT at, actor, act FROM webhook_audit WHERE tenant_id = $1 AND endpoint_id = $2 ORDER BY audit_id DESC LIMIT 200;

-- name: stall_lane
-- What is due here could not be taken: a fault of ours. Others go on; this is tried again in a minute.
UPDATE webhook_lane SET next_due = now() + interval '1 minute', served_at = clock_timestamp() WHERE tenant_id = $1 AND endpoint_id = $2;
