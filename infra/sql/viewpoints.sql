-- name: enter
SELECT build, position, seen_from, true_at, set_config('app.viewpoint', build::text, true) FROM viewpoint WHERE tenant_id = $1 AND build = $2;

-- name: look_from
SELECT set_config('app.viewpoint', $1, true);

-- name: later
-- Those of these touchpoints that happened after an instant.
SELECT event_id FROM event WHERE tenant_id = $1 AND event_id = ANY ($2) AND occurred_at > $3;

-- name: recorded_by
-- The last position recorded by an instant: times of recording never go back, so halving finds it.
WITH RECURSIVE span AS (
  SELECT 0::bigint AS low, h.position AS high FROM tenant_head h WHERE h.tenant_id = $1
  UNION ALL
  SELECT CASE WHEN e.recorded_at <= $2 THEN e.position ELSE s.low END, CASE WHEN e.recorded_at <= $2 THEN s.high ELSE e.position - 1 END
    FROM span s JOIN event e ON e.tenant_id = $1 AND e.position = (s.low + s.high + 1) / 2
   WHERE s.low < s.high)
SELECT low FROM span WHERE low = high;

-- name: find
-- The viewpoint of this kind, if there is one; it counts as used.
UPDATE viewpoint SET used_at = now()
 WHERE tenant_id = $1 AND position = $2 AND day = $3 AND true_at IS NOT DISTINCT FROM $4 AND digest IS NOT DISTINCT FROM $5
RETURNING build;

-- name: add
INSERT INTO viewpoint (tenant_id, build, position, day, seen_from, true_at, model, digest)
SELECT $1, least(0, min(build)) - 1, $2, $3, $4, $5, $6, $7 FROM viewpoint WHERE tenant_id = $1
    ON CONFLICT DO NOTHING RETURNING build;

-- name: add_builds
-- Nothing read yet of these processes; by the model told last before the ceiling.
INSERT INTO checkpoint (tenant_id, process, build, live, ceiling, model)
SELECT $1, process, $2, false, $3,
       (SELECT max(e.position) FROM event e WHERE e.tenant_id = $1 AND e.stream = 'model' AND e.position <= $3)
  FROM unnest($4::text[]) AS process;

-- name: look_after
-- The task that gives up what nobody looks at any more.
UPDATE due SET due_at = least(due_at, now() + $2) WHERE tenant_id = $1 AND task = 'viewpoints';

-- name: positions
SELECT process, position, error FROM checkpoint WHERE tenant_id = $1 AND build = $2 AND process = ANY ($3);

-- name: unused
-- Those nobody looked at for so long, and the longest unused of too many.
SELECT build FROM (SELECT build, used_at, row_number() OVER (ORDER BY used_at DESC) AS nth FROM viewpoint WHERE tenant_id = $1) v
 WHERE used_at < now() - $2::interval OR nth > $3;

-- name: count
SELECT count(*) FROM viewpoint WHERE tenant_id = $1;

-- name: drop_builds
DELETE FROM checkpoint WHERE tenant_id = $1 AND build = $2;

-- name: drop
DELETE FROM viewpoint WHERE tenant_id = $1 AND build = $2;

-- name: result
SELECT result FROM viewpoint WHERE tenant_id = $1 AND build = $2;

-- name: keep_result
UPDATE viewpoint SET result = $3 WHERE tenant_id = $1 AND build = $2;

-- name: model
-- What the relationships of a build are weighed by: the model that is tried, or the one told in the log.
SELECT coalesce(v.model, e.body) AS model, c.model AS position
  FROM checkpoint c
  LEFT JOIN viewpoint v ON v.tenant_id = c.tenant_id AND v.build = c.build
  LEFT JOIN event e ON e.tenant_id = c.tenant_id AND e.position = c.model
 WHERE c.tenant_id = $1 AND c.process = 'relationships' AND c.build = $2;
