-- name: claim_work
-- One process that is behind, locked to the end of this transaction.
SELECT tenant_id, process, build, from_position, to_position, live FROM claim_work($1, $2);

-- name: claim_parked
SELECT tenant_id, process, build FROM claim_parked();

-- name: claim_due
SELECT tenant_id, task, due_at FROM claim_due();

-- name: set_due
UPDATE due SET due_at = $3 WHERE tenant_id = $1 AND task = $2;

-- name: advance
UPDATE checkpoint SET position = $4, own_position = greatest(own_position, $5), advanced_at = clock_timestamp(), retry_at = NULL, error = NULL
 WHERE tenant_id = $1 AND process = $2 AND build = $3;

-- name: stall
UPDATE checkpoint SET error = $4, retry_at = now() + interval '5 seconds' WHERE tenant_id = $1 AND process = $2 AND build = $3;

-- name: hold_live
-- The live build of a process, its checkpoint held to the end of this transaction.
SELECT build, position, own_position FROM checkpoint WHERE tenant_id = $1 AND process = $2 AND live FOR UPDATE;

-- name: take_live
-- The same, unless somebody else holds it.
SELECT build, position, own_position FROM checkpoint WHERE tenant_id = $1 AND process = $2 AND live FOR UPDATE SKIP LOCKED;

-- name: position
SELECT position FROM checkpoint WHERE tenant_id = $1 AND process = $2 AND build = $3;

-- name: live_positions
SELECT process, position FROM checkpoint WHERE tenant_id = $1 AND live AND process = ANY ($2);

-- name: parked_streams
-- Streams this build, or a live build of what it follows, has parked.
SELECT DISTINCT stream FROM parked_event
 WHERE tenant_id = $1 AND ((process = $2 AND build = $3) OR process = ANY ($4));

-- name: park
-- Tried again after 5 seconds, then less and less often, at least once a minute.
INSERT INTO parked_event (tenant_id, process, build, position, stream, type, error, retry_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, now() + interval '5 seconds')
    ON CONFLICT (tenant_id, process, build, position)
    DO UPDATE SET error = excluded.error, tries = parked_event.tries + 1,
                  retry_at = now() + least(interval '1 minute', interval '5 seconds' * 2 ^ least(parked_event.tries, 10));

-- name: parked
-- Up to 100 streams whose first parked event is due, with all their parked events in order.
WITH first AS (
  SELECT DISTINCT ON (stream) stream, position, retry_at FROM parked_event
   WHERE tenant_id = $1 AND process = $2 AND build = $3 ORDER BY stream, position),
due AS MATERIALIZED (SELECT stream FROM first WHERE retry_at <= now() ORDER BY position LIMIT 100)
SELECT e.position, e.stream, e.event_id, e.type, e.version, e.occurred_at, e.recorded_at, e.body, e.sealed
  FROM due JOIN parked_event p ON p.tenant_id = $1 AND p.process = $2 AND p.build = $3 AND p.stream = due.stream
  JOIN event e ON e.tenant_id = $1 AND e.position = p.position
 ORDER BY p.position;

-- name: unpark
DELETE FROM parked_event WHERE tenant_id = $1 AND process = $2 AND build = $3 AND position = ANY ($4);

-- name: postpone
UPDATE parked_event SET retry_at = now() + interval '1 minute' WHERE tenant_id = $1 AND process = $2 AND build = $3;

-- name: followed_parked
-- Streams what it follows has still parked: they cannot be tried here yet.
SELECT DISTINCT stream FROM parked_event WHERE tenant_id = $1 AND process = ANY ($2);

-- name: start_build
-- A new build beside the live one. A build begun before and not yet live goes on; an empty log needs none.
INSERT INTO checkpoint (tenant_id, process, build, live, model)
SELECT $1, $2, max(build) + 1, false, (SELECT max(position) FROM event WHERE tenant_id = $1 AND stream = 'model') FROM checkpoint
 WHERE tenant_id = $1 AND process = $2 AND build > 0 AND EXISTS (SELECT FROM tenant_head WHERE tenant_id = $1 AND position > 0) HAVING bool_and(live);

-- name: builds
SELECT build, position, live FROM checkpoint WHERE tenant_id = $1 AND process = $2 AND build > 0 ORDER BY build;

-- name: start_over
-- Where the model has changed again since this build began, it begins once more.
UPDATE checkpoint c SET position = 0, model = m.position
  FROM (SELECT max(position) AS position FROM event WHERE tenant_id = $1 AND stream = 'model') m
 WHERE c.tenant_id = $1 AND c.process = $2 AND c.build = $3 AND $2 = 'relationships' AND c.model IS DISTINCT FROM m.position
RETURNING c.build;

-- name: retire
UPDATE checkpoint SET live = false WHERE tenant_id = $1 AND process = $2 AND live;

-- name: go_live
UPDATE checkpoint SET live = true WHERE tenant_id = $1 AND process = $2 AND build = $3;

-- name: forget_build
DELETE FROM checkpoint WHERE tenant_id = $1 AND process = $2 AND build = $3;

-- name: lags
SELECT tenant_id, process, build, live, lag, parked, stalled FROM work_lags();
