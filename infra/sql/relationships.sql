-- name: states
-- These contacts' states, and those of everybody ever met in one of these channels.
SELECT contact_id, strength, facts, last_touch_at, folded_to FROM relationship
 WHERE tenant_id = $1 AND build = $2 AND (contact_id = ANY ($3) OR (cardinality($4::text[]) > 0 AND channels && $4));

-- name: aged
SELECT contact_id, strength, facts, last_touch_at, folded_to FROM relationship
 WHERE tenant_id = $1 AND build = $2 AND scored_day < $3 ORDER BY contact_id LIMIT $4;

-- name: store
INSERT INTO relationship (tenant_id, build, contact_id, strength, facts, channels, touchpoints, score, stage, half, met_at,
                          first_touch_at, last_touch_at, online_points, given, received, scored_day, folded_to)
SELECT $1, $2, x.contact_id, x.strength, x.facts, string_to_array(x.channels, E'\n'), x.touchpoints, x.score, x.stage, x.half, x.met_at,
       x.first_touch_at, x.last_touch_at, x.online_points, x.given, x.received, x.scored_day, x.folded_to
  FROM unnest($3::uuid[], $4::bytea[], $5::bytea[], $6::text[], $7::int[], $8::float8[], $9::smallint[], $10::text[], $11::timestamptz[],
              $12::timestamptz[], $13::timestamptz[], $14::float8[], $15::float8[], $16::float8[], $17::int[], $18::bigint[])
       AS x (contact_id, strength, facts, channels, touchpoints, score, stage, half, met_at, first_touch_at, last_touch_at, online_points,
             given, received, scored_day, folded_to)
    ON CONFLICT (tenant_id, build, contact_id) DO UPDATE
   SET strength = excluded.strength, facts = excluded.facts,
       channels = excluded.channels, touchpoints = excluded.touchpoints, score = excluded.score, stage = excluded.stage,
       half = excluded.half, met_at = excluded.met_at, first_touch_at = excluded.first_touch_at,
       last_touch_at = excluded.last_touch_at, online_points = excluded.online_points, given = excluded.given,
       received = excluded.received, scored_day = excluded.scored_day, folded_to = excluded.folded_to;
